"""A request from Twilio: its form, its signature, and the fields that every part uses.

Imports FastAPI, which only the voice function and the desk have.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.datastructures import ImmutableMultiDict

from shared.logs import logger, metric
from shared.numbers.phone_numbers import caller_name, readable
from shared.settings import SettingsError
from shared.twilio.calls import is_over
from shared.twilio.signature import request_is_signed

FORM = "application/x-www-form-urlencoded"
# Twilio sends some 30 fields and may add more; a form with thousands is an attack.
MAX_FIELDS = 500

Form = ImmutableMultiDict[str, str]


class Xml(Response):
    """TwiML."""

    media_type = "text/xml"


class Signing(Protocol):
    """The settings that checking a signature needs."""

    @property
    def twilio_auth_token(self) -> SecretStr:
        """The key of the signature."""

    @property
    def public_url(self) -> str:
        """The base of every URL that was given to Twilio."""


@dataclass(frozen=True)
class Webhook:
    """Twilio's data about a call. `fields` has all of the request's fields, by Twilio's names."""

    call_sid: str
    caller: str
    called: str
    call_status: str
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def caller_is_gone(self) -> bool:
        """Whether this call is over, so that nobody hears the answer."""
        return is_over(self.call_status)


class SignedWebhook:
    """The FastAPI dependency of a route for Twilio only; requests without a valid signature get 403.

    Args:
        service: the part that has the route, for its log and metrics.
        settings: returns the settings; called for each request.
    """

    def __init__(self, service: str, settings: Callable[[], Signing]) -> None:
        self._service, self._settings = service, settings

    async def __call__(self, request: Request) -> Webhook:
        """The request's data, after its signature was checked."""
        signature = request.headers.get("X-Twilio-Signature")
        if not signature:
            raise self._forbidden(request, "no signature")
        posted = request.method == "POST"
        form = await form_of(request) if posted else Form()
        settings = self._settings()
        if not request_is_signed(settings.twilio_auth_token, signature, _public_url(request, settings), form):
            raise self._forbidden(request, "wrong signature")
        return _webhook(form if posted else _fields(request.scope["query_string"]))

    def _forbidden(self, request: Request, reason: str) -> HTTPException:
        # The usual cause is no attack but a PUBLIC_URL that differs from the URL given to Twilio.
        logger(self._service).warning("request refused", extra={"reason": reason, "route": route_of(request)})
        metric(self._service, "RefusedSignatures")
        return HTTPException(403, f"{reason}: this address is for Twilio only")


def twilio_route(service: str, apology: Callable[[], str]) -> type[APIRoute]:
    """The route class for requests with a caller on the phone: on any error they hear an apology.

    Args:
        service: the part, for its log and its metric `UnhandledErrors`.
        apology: returns the TwiML to send instead of a 500; must not fail, so it reads neither settings nor a table.
    """
    return _route(service, lambda: Xml(apology()))


def status_callback_route(service: str) -> type[APIRoute]:
    """The route class for Twilio's status callbacks: 503 on any error.

    Nobody would hear an apology, and Twilio would take one for success: it would not log the error and could not retry.

    Args:
        service: the part, for its log and its metric `UnhandledErrors`.
    """
    return _route(service, lambda: Response(status_code=503))


def _route(service: str, when_it_failed: Callable[[], Response]) -> type[APIRoute]:
    log = logger(service)

    class TwilioRoute(APIRoute):
        """A route for Twilio that never answers 500."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """FastAPI's handler, with the part's own answer instead of a 500."""
            answer = super().get_route_handler()

            async def answer_in_any_case(request: Request) -> Response:
                try:
                    return await answer(request)
                except HTTPException:
                    raise
                except SettingsError as error:
                    log.error("the settings are wrong: %s", error)  # noqa: TRY400 # the message says it all; a traceback adds nothing
                except Exception:  # any error: the caller must still get an answer
                    log.exception("a request failed", extra={"route": route_of(request)})
                metric(service, "UnhandledErrors")
                return when_it_failed()

            return answer_in_any_case

    return TwilioRoute


def route_of(request: Request) -> str:
    """The request's route as it is declared, for logs. The path itself may contain a desk link, which is a secret."""
    return str(getattr(request.scope.get("route"), "path", ""))


async def form_of(request: Request) -> Form:
    """The fields of the form in a request's body; raises HTTPException 415 or 400 if there is no valid form."""
    body = await request.body()
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if body and content_type != FORM:
        raise HTTPException(415, f"the body must be {FORM}")
    return _fields(body)


def _fields(encoded: bytes) -> Form:
    # Not with Starlette's form parser, which needs another library and accepts invalid text.
    try:
        pairs = parse_qsl(encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HTTPException(400, "the form cannot be read") from None
    return Form(pairs)


def _public_url(request: Request, settings: Signing) -> str:
    # Never from the Host header or similar: Twilio signs the URL that it was given.
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return settings.public_url + raw_path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")


def _webhook(fields: Form) -> Webhook:
    call_sid = fields.get("CallSid")
    if not call_sid:
        raise HTTPException(400, "CallSid is missing")
    return Webhook(
        call_sid=call_sid,
        caller=caller_name(fields.get("From", "")),
        called=readable(fields.get("To", "")),
        call_status=fields.get("CallStatus", ""),
        fields=fields,
    )
