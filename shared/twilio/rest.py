"""Twilio's REST API.

Only this module imports `twilio.rest`, which takes 140 ms at best. A part that only answers TwiML imports neither.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from requests import RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from shared.twilio.calls import PERSONS_CALL_LIMIT_S

# 5 s for a request in all; Twilio usually answers within 0.5 s.
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 3.0

NOT_FOUND = 404
# Error 21220: the call is not in progress, so it cannot be redirected.
NOT_IN_PROGRESS = 21220


class SmsNotAccepted(Exception):
    """Twilio did not accept the message. After a time-out it may have been sent all the same.

    The message has Twilio's status and error code, never its text, which quotes phone numbers.
    """


class CallNotPlaced(Exception):
    """Twilio did not place the call. After a time-out it may have, so a phone may ring with nobody on the line.

    The message has Twilio's status and error code, never its text, which quotes phone numbers.
    """


class CallUnknown(Exception):
    """Twilio did not tell a call's status. The message is as in `CallNotPlaced`."""


class CallNotRedirected(Exception):
    """Twilio did not redirect a call, most often because it is over. After a time-out it may have.

    The message is as in `CallNotPlaced`.
    """


class CallIsOver(CallNotRedirected):
    """Twilio says that the call is over, or knows no such call."""


class _Http(TwilioHttpClient):
    """Twilio's HTTP client with time limits, and with another host if `api_url` is set."""

    def __init__(self, api_url: str | None) -> None:
        # No pooled connections: a `requests` session must not be shared between threads, and requests are rare.
        super().__init__(pool_connections=False)
        self.timeout = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)  # type: ignore[assignment] # passed to `requests` as it is
        self._api_url = api_url

    # The library's own two classes have different names for this argument.
    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        if self._api_url:
            url = self._api_url + urlsplit(url)._replace(scheme="", netloc="").geturl()
        return super().request(method, url, *args, **kwargs)


def rest_client(account_sid: str, auth_token: SecretStr, api_url: str | None = None) -> Client:
    """Twilio's own client, with time limits; `api_url` is as in `Telephony`."""
    return Client(account_sid, auth_token.get_secret_value(), http_client=_Http(api_url))


class Telephony:
    """One Twilio account. Blocking; may be used from many threads.

    Args:
        api_url: base URL for every request instead of Twilio's, such as `http://127.0.0.1:8081`.
    """

    def __init__(self, account_sid: str, auth_token: SecretStr, api_url: str | None = None) -> None:
        self._client = rest_client(account_sid, auth_token, api_url)

    def send_sms(self, to: str, from_: str, body: str) -> str:
        """Sends a text message and returns its sid once Twilio has accepted it, at most 5 s later.

        Args:
            to: an E.164 number.
            from_: a number of the account, or one of its messaging services (`MG...`).

        Raises:
            SmsNotAccepted: when Twilio refused it, failed, or did not answer in time.
        """
        sender = {"messaging_service_sid" if is_messaging_service(from_) else "from_": from_}
        with _failures_as(SmsNotAccepted):
            # Smart encoding: Twilio replaces typographic quotes and the like by plain ones. A single one of them would
            # more than halve what fits into an SMS segment.
            message = self._client.messages.create(to=to, body=body, smart_encoded=True, **sender)
        return str(message.sid)

    def call(self, to: str, from_: str, url: str, status_callback: str, timeout_s: int) -> str:
        """Calls a person's phone and returns the call's sid once Twilio has accepted it, at most 5 s later.

        Twilio has no idempotency key for calls: a repeated request may make the phone ring twice.

        Args:
            to: an E.164 number.
            from_: a number of the account.
            url: where Twilio gets the TwiML, by POST, once somebody has picked up.
            status_callback: where Twilio reports, by POST, that the call is over, however it ended.
            timeout_s: for how long the phone rings.

        Raises:
            CallNotPlaced: when Twilio refused it, failed, or did not answer in time.
        """
        with _failures_as(CallNotPlaced):
            call = self._client.calls.create(
                to=to,
                from_=from_,
                url=url,
                method="POST",
                status_callback=status_callback,
                status_callback_method="POST",
                status_callback_event=["completed"],
                timeout=timeout_s,
                time_limit=PERSONS_CALL_LIMIT_S,
            )
        return str(call.sid)

    def status_of(self, call_sid: str) -> str | None:
        """A call's status in Twilio's words, such as `in-progress` or `completed`; None when Twilio knows no such call.

        Raises:
            CallUnknown: when Twilio refused it, failed, or did not answer in time.
        """
        with _failures_as(CallUnknown):
            try:
                return str(self._client.calls(call_sid).fetch().status)
            except TwilioRestException as refusal:
                if refusal.status == NOT_FOUND:
                    return None
                raise

    def redirect(self, call_sid: str, url: str) -> None:
        """Makes a call in progress get its TwiML from another URL, by POST. It may be repeated.

        Raises:
            CallIsOver: when the call is over.
            CallNotRedirected: when Twilio refused it, failed, or did not answer in time.
        """
        with _failures_as(CallNotRedirected):
            try:
                self._client.calls(call_sid).update(url=url, method="POST")
            except TwilioRestException as refusal:
                if refusal.status == NOT_FOUND or refusal.code == NOT_IN_PROGRESS:
                    raise CallIsOver(f"Twilio answered {refusal.status}, error {refusal.code}") from None
                raise


def is_messaging_service(sender: str) -> bool:
    """Whether SMS come from a messaging service, which, unlike a number, cannot place calls."""
    return sender.startswith("MG")


@contextmanager
def _failures_as(error: type[Exception]) -> Iterator[None]:
    """Turns exceptions of Twilio's library inside of the block into `error`, without the numbers that Twilio quotes."""
    try:
        yield
    except TwilioRestException as refusal:
        raise error(f"Twilio answered {refusal.status}, error {refusal.code}") from None
    except (TwilioException, RequestException, ValueError) as failure:
        raise error(f"no answer from Twilio: {type(failure).__name__}") from None
