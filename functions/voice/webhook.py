"""A request from Twilio: its form, its signature, and the few fields of it that we use."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import ImmutableMultiDict

from functions.voice.settings import VoiceSettings, settings
from shared.logs import logger, metric
from shared.phone_numbers import caller_name, readable
from shared.signature import request_is_signed

log = logger("voice")

FORM = "application/x-www-form-urlencoded"
# Twilio sends some thirty fields and may add more; a form of thousands is somebody who wants to keep us busy.
MAX_FIELDS = 500
# What CallStatus says when there is nobody left to speak to.
CALLER_IS_GONE = {"completed", "busy", "failed", "no-answer", "canceled"}

Form = ImmutableMultiDict[str, str]


@dataclass(frozen=True)
class Webhook:
    """What Twilio tells about a call."""

    call_sid: str
    caller: str
    called: str
    call_status: str

    @property
    def caller_is_gone(self) -> bool:
        """Whether the caller has hung up."""
        return self.call_status in CALLER_IS_GONE


async def _signed_webhook(request: Request) -> Webhook:
    signature = request.headers.get("X-Twilio-Signature")
    if not signature:
        raise _forbidden(request, "no signature")
    fields = await _form(request) if request.method == "POST" else Form()
    if not request_is_signed(settings().twilio_auth_token, signature, _public_url(request, settings()), fields):
        raise _forbidden(request, "wrong signature")
    return _webhook(fields if request.method == "POST" else _fields(request.scope["query_string"]))


Signed = Annotated[Webhook, Depends(_signed_webhook)]


def _forbidden(request: Request, reason: str) -> HTTPException:
    # Usually not an attack but a PUBLIC_URL that differs from the URL that Twilio was given.
    log.warning("request refused", extra={"reason": reason, "path": request.url.path})
    metric("voice", "RefusedSignatures")
    return HTTPException(403, f"{reason}: this address is for Twilio only")


async def _form(request: Request) -> Form:
    body = await request.body()
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if body and content_type != FORM:
        raise HTTPException(415, f"the body must be {FORM}")
    return _fields(body)


def _fields(encoded: bytes) -> Form:
    # Starlette's own form parser would do, but that needs another library, and it cannot tell text from garbage.
    try:
        pairs = parse_qsl(encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HTTPException(400, "the form cannot be read") from None
    return Form(pairs)


def _public_url(request: Request, settings: VoiceSettings) -> str:
    # Never from the Host header or the like: the signature is over the URL that Twilio was given.
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
    )
