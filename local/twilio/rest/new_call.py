"""What a request for a new call says, read as strictly as Twilio reads it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from multidict import MultiMapping

from local.twilio.call import Setup
from local.twilio.e164 import E164
from local.twilio.rest.errors import RestError
from local.twilio.twiml import ApplicationError, Document, NotSimulatedError, StatusCallback
from local.twilio.twiml_reader import parse
from local.twilio.twiml_schema import CALL_EVENTS, LONGEST_CALL_S
from local.twilio.webhook import Request

MAX_TWIML_CHARACTERS = 4000
RINGS_S = range(1, 601)
DEFAULT_RINGS_S = 60
READ = frozenset(
    [
        "To",
        "From",
        "Url",
        "Twiml",
        "Method",
        "FallbackUrl",
        "StatusCallback",
        "StatusCallbackEvent",
        "StatusCallbackMethod",
        "Timeout",
        "TimeLimit",
    ]
)


def read_new_call(form: MultiMapping[object], numbers: frozenset[str] | None) -> tuple[Setup, float]:
    """The call to place, and for how many seconds its phone is to ring. Raises RestError."""
    fields = {name: str(form[name]) for name in form}
    if missing := sorted(set(fields) - READ):
        raise RestError(501, 20001, f"{missing} of a new call are not simulated yet; these are: {sorted(READ)}")
    _check_numbers(fields, numbers)
    setup = Setup(
        fields["From"],
        fields["To"],
        _opening(fields),
        direction="outbound-api",
        fallback=fields.get("FallbackUrl"),
        limit_s=_whole(fields, "TimeLimit", LONGEST_CALL_S, range(1, LONGEST_CALL_S + 1)),
        status=_status(fields, [str(event) for event in form.getall("StatusCallbackEvent", [])]),
    )
    return setup, _whole(fields, "Timeout", DEFAULT_RINGS_S, RINGS_S)


def read_twiml(twiml: str) -> Document:
    """TwiML that came with a request. Raises RestError."""
    if len(twiml) > MAX_TWIML_CHARACTERS:
        raise RestError(400, 32018, "Twiml size exceeded maximum allowed value of 4000 characters")
    try:
        return parse(twiml)
    except ApplicationError as error:
        raise RestError(400, error.code, error.reason) from error
    except NotSimulatedError as error:
        raise RestError(501, 20001, str(error)) from error


def _check_numbers(fields: Mapping[str, str], numbers: frozenset[str] | None) -> None:
    to, from_ = fields.get("To", ""), fields.get("From", "")
    if not to:
        raise RestError(400, 21201, "No 'To' number is specified")
    if not from_:
        raise RestError(400, 21213, "'From' phone number is required")
    if not E164.fullmatch(to):
        raise RestError(400, 21211, f"The phone number you are attempting to call, {to}, is not valid.")
    if not E164.fullmatch(from_):
        raise RestError(400, 21212, f"The 'From' phone number provided, {from_}, is not a valid phone number.")
    if numbers is not None and from_ not in numbers:
        raise RestError(400, 21210, f"The source phone number provided, {from_}, is not yet verified for your account.")


def _opening(fields: Mapping[str, str]) -> Request | Document:
    url, twiml = fields.get("Url"), fields.get("Twiml")
    if url:
        return Request(_url(url, 21205), fields.get("Method", "POST").upper())
    if twiml:
        return read_twiml(twiml)
    raise RestError(400, 21205, "Url parameter is required.")


def _status(fields: Mapping[str, str], events: list[str]) -> StatusCallback:
    if wrong := sorted(set(events) - CALL_EVENTS):
        raise RestError(400, 21626, f"StatusCallbackEvent has {wrong}; there are {sorted(CALL_EVENTS)}")
    url = fields.get("StatusCallback")
    return StatusCallback(
        _url(url, 21609) if url else None,
        fields.get("StatusCallbackMethod", "POST").upper(),
        frozenset(events) or frozenset({"completed"}),
    )


def _url(url: str, code: int) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RestError(400, code, f"Url is not a valid URL: {url}")
    return url


def _whole(fields: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    value = fields.get(name, str(default))
    if not value.isdigit() or int(value) not in allowed:
        raise RestError(400, 20001, f"{name} is {value!r}; it must be from {allowed[0]} to {allowed[-1]}")
    return int(value)
