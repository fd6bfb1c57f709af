"""Requests to the application's webhooks, as from Twilio: signed, within 15 s, with strict checks of the answer."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from time import monotonic
from urllib.parse import urldefrag, urlencode
from uuid import uuid4

import aiohttp
from yarl import URL

from local.twilio.exchange import Exchange
from local.twilio.report import CallReport, WebhookRequest
from local.twilio.twiml import ApplicationError, Document, NotSimulatedError, parse

API_VERSION = "2010-04-01"
E164 = re.compile(r"\+[1-9]\d{6,14}")
TIME_LIMIT_S = 15.0  # error 11205: 15 s in all, 10 s of them to connect
CONNECT_LIMIT_S = 10.0
MAX_BODY_BYTES = 64 * 1024  # error 11750
SUCCESSES = range(200, 300)
REDIRECTS = range(300, 400)
TWIML_TYPES = frozenset({"text/xml", "application/xml"})
US_NUMBER_LENGTH = len("+15551234567")
US_PLACE = {"City": "SAN FRANCISCO", "State": "CA", "Zip": "94105", "Country": "US"}
NO_PLACE = {"City": "", "State": "", "Zip": "", "Country": ""}  # sent and signed as empty if Twilio knows no place
INBOUND_ONLY = {"CallToken": '{"parentCallInfoToken":"simulated"}', "StirVerstat": "TN-Validation-Passed-A"}


@dataclass(frozen=True)
class Request:
    """A request for a document; `fields` are added to those that every webhook has."""

    url: str
    method: str = "POST"
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The response from a URL."""

    status: int
    content_type: str
    body: bytes


class Webhooks:
    """Sends the requests of one simulated Twilio through one HTTP session; `time_limit_s` is real time."""

    def __init__(self, exchange: Exchange, session: aiohttp.ClientSession, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._exchange = exchange
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=time_limit_s, sock_connect=CONNECT_LIMIT_S)

    async def ask(
        self, request: Request, fields: Mapping[str, str], at_ms: float, record: Callable[[WebhookRequest], None]
    ) -> Document:
        """Requests a document and parses it; `record` gets the request, whether it fails or not.

        Raises ApplicationError (11200 status, 11205 connection or time, 11206 protocol, 11750 size, 12300 content
        type, 12100 invalid TwiML) and NotSimulatedError.
        """
        fields = {**fields, **request.fields}
        began, status = monotonic(), None
        try:
            answer = await self.fetch(request.url, request.method, fields)
            status = answer.status
        finally:
            took_ms = (monotonic() - began) * 1000
            record(WebhookRequest(at_ms, request.method, request.url, fields, status, took_ms))
        if answer.status in REDIRECTS:
            raise NotSimulatedError(f"{request.url} redirects; Twilio follows redirects, this simulation does not")
        if answer.status not in SUCCESSES:
            raise ApplicationError(11200, f"{request.method} {request.url} answered {answer.status}")
        if answer.content_type not in TWIML_TYPES:
            raise ApplicationError(12300, f"{request.url} answered {answer.content_type!r}; TwiML needs {TWIML_TYPES}")
        return parse(answer.body, request.url)

    async def fetch(self, url: str, method: str = "GET", fields: Mapping[str, str] | None = None) -> Answer:
        """Sends one signed request, fields in a POST's form or a GET's query. Raises ApplicationError like `ask`."""
        if method not in {"GET", "POST"}:
            raise ApplicationError(11200, f"the method for {url} is {method!r}; it must be GET or POST")
        url, _fragment = urldefrag(url)  # Twilio's connection overrides; neither sent nor signed
        if method == "GET" and fields:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"
        form = dict(fields or {}) if method == "POST" else {}
        headers = {
            "X-Twilio-Signature": self._exchange.sign(url, form),
            "I-Twilio-Idempotency-Token": str(uuid4()),
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        try:
            return await self._send(method, url, form, headers)
        except (TimeoutError, aiohttp.ClientConnectionError, asyncio.IncompleteReadError) as error:
            raise ApplicationError(11205, f"no answer from {url}: {error or type(error).__name__}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise ApplicationError(11206, f"{url} answered invalid HTTP: {error}") from error

    async def _send(self, method: str, url: str, form: dict[str, str], headers: dict[str, str]) -> Answer:
        address = URL(self._exchange.address_of(url), encoded=True)
        data = urlencode(form) if method == "POST" else None
        if data is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        async with self._session.request(
            method, address, data=data, headers=headers, timeout=self._timeout, allow_redirects=False
        ) as answer:
            body = await answer.content.read(MAX_BODY_BYTES + 1)
            while len(body) <= MAX_BODY_BYTES and (more := await answer.content.read(MAX_BODY_BYTES)):
                body += more
            if len(body) > MAX_BODY_BYTES:
                raise ApplicationError(11750, f"{url} answered more than {MAX_BODY_BYTES} bytes")
            return Answer(answer.status, answer.content_type if "Content-Type" in answer.headers else "", body)


def standard_fields(account_sid: str, call: CallReport, overrides: Mapping[str, str | None]) -> dict[str, str]:
    """The fields for a call in its current state. An override replaces or adds a field; None removes it."""
    from_, to = call.from_, call.to
    fields: dict[str, str | None] = {
        "AccountSid": account_sid,
        "ApiVersion": API_VERSION,
        "CallSid": call.call_sid,
        "CallStatus": call.status,
        "Direction": call.direction,
        "From": from_,
        "Caller": from_,
        "To": to,
        "Called": to,
        "ParentCallSid": call.parent_call_sid,
        **(INBOUND_ONLY if call.direction == "inbound" else {}),
        **_places(from_, "From", "Caller"),
        **_places(to, "To", "Called"),
        **overrides,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _places(number: str, *parties: str) -> dict[str, str]:
    known = number.startswith("+1") and len(number) == US_NUMBER_LENGTH
    place = US_PLACE if known else NO_PLACE
    return {f"{party}{part}": value for party in parties for part, value in place.items()}


def timestamp() -> str:
    """The current time, in the format of status callbacks."""
    return format_datetime(datetime.now(UTC))
