"""The Calls resource: places, fetches, redirects and ends calls. It checks parameters as strictly as Twilio does."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web
from multidict import MultiMapping

from local.twilio.call import Account, Call, Setup
from local.twilio.report import EndedBy
from local.twilio.rest.server import RestError, not_found, not_simulated
from local.twilio.twiml import (
    CALL_EVENTS,
    LONGEST_CALL_S,
    ApplicationError,
    Document,
    NotSimulatedError,
    StatusCallback,
    parse,
)
from local.twilio.webhook import API_VERSION, E164, Request

ENDINGS = frozenset({"completed", "canceled"})
MAX_TWIML_CHARACTERS = 4000
RINGS_S = range(1, 601)
DEFAULT_RINGS_S = 60
OF_A_NEW_CALL = {"To", "From", "Url", "Twiml", "Method", "Timeout", "TimeLimit"} | {
    f"StatusCallback{part}" for part in ("", "Event", "Method")
}
OF_AN_UPDATE = {"Url", "Method", "Status"}


class AccountWithCalls(Account, Protocol):
    """An account with all its calls by sid."""

    calls: dict[str, Call]


class Calls:
    """All calls of the account."""

    def __init__(self, account: AccountWithCalls) -> None:
        self._account = account

    def routes(self, root: str) -> list[web.RouteDef]:
        """The resource's routes, under the account's path."""
        return [
            web.post(f"{root}/Calls.json", self._create),
            web.get(f"{root}/Calls/{{sid}}.json", self._fetch),
            web.post(f"{root}/Calls/{{sid}}.json", self._update),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        setup, ring_for_s = _new_call(await request.post(), self._account.numbers)
        call = self._account.place(setup, ring_for_s)
        return web.json_response(_resource(call), status=201)

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(_resource(self._find(request)))

    async def _update(self, request: web.Request) -> web.Response:
        call = self._find(request)
        form = _fields(await request.post(), OF_AN_UPDATE)
        if not call.in_progress:
            raise RestError(400, 21220, "Call is not in-progress. Cannot redirect.")
        if "Status" in form:
            _end(call, form["Status"])
        else:
            _redirect(call, form)
        return web.json_response(_resource(call))

    def _find(self, request: web.Request) -> Call:
        call = self._account.calls.get(request.match_info["sid"])
        if call is None:
            raise not_found(request.path)
        return call


def _end(call: Call, status: str) -> None:
    if status not in ENDINGS:
        raise RestError(400, 20001, f"Status is {status!r}; it must be completed or canceled")
    if not call.answered and not call.inbound:
        call.end(EndedBy.REST, status="canceled")
    elif status == "completed" or not call.answered:  # "canceled" has no effect on an answered call
        call.end(EndedBy.REST, status=status)


def _redirect(call: Call, form: Mapping[str, str]) -> None:
    if not form.get("Url"):
        raise RestError(400, 20001, "One of Url and Status is required")
    if not call.answered:
        raise RestError(400, 21220, "Call is not in-progress. Cannot redirect.")
    if call.is_leg:
        raise not_simulated("Redirecting a leg of a <Dial> is")
    call.replace(Request(form["Url"], form.get("Method", "POST").upper()))


def _fields(form: MultiMapping[object], known: set[str]) -> dict[str, str]:
    fields = {name: str(form[name]) for name in form}
    if unknown := sorted(fields.keys() - known):
        raise not_simulated(f"{', '.join(unknown)} (there are {', '.join(sorted(known))}) is")
    return fields


def _new_call(form: MultiMapping[object], numbers: frozenset[str] | None) -> tuple[Setup, float]:
    """The call to place, and for how many seconds to ring its phone. Raises RestError."""
    fields = _fields(form, OF_A_NEW_CALL)
    _check_numbers(fields, numbers)
    setup = Setup(
        fields["From"],
        fields["To"],
        _opening(fields),
        direction="outbound-api",
        limit_s=_whole(fields, "TimeLimit", LONGEST_CALL_S, range(1, LONGEST_CALL_S + 1)),
        status=_status(fields, frozenset(str(event) for event in form.getall("StatusCallbackEvent", []))),
    )
    return setup, _whole(fields, "Timeout", DEFAULT_RINGS_S, RINGS_S)


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
    if not twiml:
        raise RestError(400, 21205, "Url parameter is required.")
    if len(twiml) > MAX_TWIML_CHARACTERS:
        raise RestError(400, 32018, "Twiml size exceeded maximum allowed value of 4000 characters")
    try:
        return parse(twiml)
    except ApplicationError as error:
        raise RestError(400, error.code, error.reason) from error
    except NotSimulatedError as error:
        raise RestError(501, 20001, str(error)) from error


def _status(fields: Mapping[str, str], events: frozenset[str]) -> StatusCallback:
    if wrong := sorted(events - CALL_EVENTS):
        raise RestError(400, 21626, f"StatusCallbackEvent has {wrong}; there are {sorted(CALL_EVENTS)}")
    url = fields.get("StatusCallback")
    return StatusCallback(
        _url(url, 21609) if url else None,
        fields.get("StatusCallbackMethod", "POST").upper(),
        events or frozenset({"completed"}),
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


def _resource(call: Call) -> dict[str, object]:
    report, account_sid = call.report, call.account.exchange.account_sid
    return {
        "account_sid": account_sid,
        "date_created": format_datetime(report.began_at),
        "direction": report.direction,
        "duration": None if report.ended_at_ms is None else str(report.talked_s),
        "end_time": _moment(call, report.ended_at_ms),
        "from": report.from_,
        "parent_call_sid": report.parent_call_sid,
        "sid": call.sid,
        "start_time": _moment(call, report.answered_at_ms),
        "status": "queued" if report.status == "initiated" else report.status,  # REST has no status "initiated"
        "to": report.to,
        "uri": f"/{API_VERSION}/Accounts/{account_sid}/Calls/{call.sid}.json",
    }


def _moment(call: Call, at_ms: float | None) -> str | None:
    return None if at_ms is None else format_datetime(call.report.began_at + timedelta(milliseconds=at_ms))
