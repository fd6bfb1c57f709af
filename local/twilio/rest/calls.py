"""The Calls resource: placing a call, what each is doing, and putting other TwiML in its place."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

from local.twilio.call import Call
from local.twilio.report import EndedBy
from local.twilio.rest.errors import RestError, not_found
from local.twilio.rest.new_call import read_new_call, read_twiml
from local.twilio.rest.page import page
from local.twilio.switchboard import Switchboard
from local.twilio.webhook import Request
from local.twilio.webhook_fields import API_VERSION

ENDINGS = frozenset({"completed", "canceled"})


class Calls:
    """All calls of the account."""

    def __init__(self, account_sid: str, switchboard: Switchboard) -> None:
        self._account_sid = account_sid
        self._switchboard = switchboard

    def routes(self, root: str) -> list[web.RouteDef]:
        """The resource's routes below the account's."""
        return [
            web.post(f"{root}/Calls.json", self._create),
            web.get(f"{root}/Calls.json", self._list),
            web.get(f"{root}/Calls/{{sid}}.json", self._fetch),
            web.post(f"{root}/Calls/{{sid}}.json", self._update),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        setup, ring_for_s = read_new_call(await request.post(), self._switchboard.numbers)
        call = self._switchboard.place(setup, ring_for_s)
        return web.json_response(self._resource(call), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        wanted = {name: request.query.get(name) for name in ("To", "From", "Status", "ParentCallSid")}
        found = [self._resource(call) for call in self._switchboard.all.values() if _fits(call, wanted)]
        return page(request, "calls", found[::-1])  # the newest first

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._resource(self._find(request)))

    async def _update(self, request: web.Request) -> web.Response:
        call = self._find(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not call.in_progress:
            raise RestError(400, 21220, "Call is not in-progress. Cannot redirect.")
        if "Status" in form:
            self._end(call, form["Status"])
        else:
            self._redirect(call, form)
        return web.json_response(self._resource(call))

    def _end(self, call: Call, status: str) -> None:
        if status not in ENDINGS:
            raise RestError(400, 20001, f"Status is {status!r}; it must be completed or canceled")
        if not call.answered and not call.inbound:
            call.end(EndedBy.REST, status="canceled")
        elif status == "completed" or not call.answered:  # canceling leaves a call alone that was answered
            call.end(EndedBy.REST, status=status)

    def _redirect(self, call: Call, form: Mapping[str, str]) -> None:
        url, twiml = form.get("Url"), form.get("Twiml")
        if not url and not twiml:
            raise RestError(400, 20001, "One of Url, Twiml and Status is required")
        if not call.answered:
            raise RestError(400, 21220, "Call is not in-progress. Cannot redirect.")
        call.replace(Request(url, form.get("Method", "POST").upper()) if url else read_twiml(twiml or ""))

    def _find(self, request: web.Request) -> Call:
        call = self._switchboard.all.get(request.match_info["sid"])
        if call is None:
            raise not_found(request.path)
        return call

    def _resource(self, call: Call) -> dict[str, object]:
        report = call.report
        uri = f"/{API_VERSION}/Accounts/{self._account_sid}/Calls/{call.sid}"
        return {
            "account_sid": self._account_sid,
            "answered_by": None,
            "api_version": API_VERSION,
            "caller_name": None,
            "date_created": format_datetime(call.created_at),
            "date_updated": format_datetime(datetime.now(UTC)),
            "direction": report.direction,
            "duration": None if report.ended_at_ms is None else str(report.talked_s),
            "end_time": _moment(call, report.ended_at_ms),
            "from": report.from_,
            "from_formatted": report.from_,
            "parent_call_sid": report.parent_call_sid,
            "phone_number_sid": None,
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": call.sid,
            "start_time": _moment(call, report.answered_at_ms),
            "status": "queued" if report.status == "initiated" else report.status,  # REST knows no such status
            "subresource_uris": {},
            "to": report.to,
            "to_formatted": report.to,
            "uri": f"{uri}.json",
        }


def _fits(call: Call, wanted: Mapping[str, str | None]) -> bool:
    report = call.report
    found = {"To": report.to, "From": report.from_, "Status": report.status, "ParentCallSid": report.parent_call_sid}
    return all(value is None or found[name] == value for name, value in wanted.items())


def _moment(call: Call, at_ms: float | None) -> str | None:
    return None if at_ms is None else format_datetime(call.created_at + timedelta(milliseconds=at_ms))
