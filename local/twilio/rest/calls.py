"""The Calls resource: what a call is doing, and putting other TwiML in its place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from aiohttp import web

from local.twilio.call import Call
from local.twilio.report import EndedBy
from local.twilio.rest.errors import RestError, not_found
from local.twilio.twiml import ApplicationError
from local.twilio.twiml_reader import parse
from local.twilio.webhook import Request
from local.twilio.webhook_fields import API_VERSION

MAX_TWIML_CHARACTERS = 4000


class Calls:
    """All calls of the account, ended ones too, by sid."""

    def __init__(self, account_sid: str) -> None:
        self._account_sid = account_sid
        self._calls: dict[str, Call] = {}

    def routes(self, root: str) -> list[web.RouteDef]:
        """The resource's routes below the account's."""
        return [
            web.get(f"{root}/Calls/{{sid}}.json", self._fetch),
            web.post(f"{root}/Calls/{{sid}}.json", self._update),
        ]

    def add(self, call: Call) -> None:
        """Makes a call known."""
        self._calls[call.sid] = call

    def unfinished(self) -> list[Call]:
        """The calls whose life is not over; some may have ended and be asking their last webhook."""
        return [call for call in self._calls.values() if not call.over.is_set()]

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
        if status not in {"completed", "canceled"}:
            raise RestError(400, 20001, f"Status is {status!r}; it must be completed or canceled")
        if status == "completed" or not call.answered:  # canceling leaves a call alone that was answered
            call.end(EndedBy.REST, status=status)

    def _redirect(self, call: Call, form: Mapping[str, str]) -> None:
        url, twiml = form.get("Url"), form.get("Twiml")
        if url:
            call.replace(Request(url, form.get("Method", "POST").upper()))
        elif not twiml:
            raise RestError(400, 20001, "One of Url, Twiml and Status is required")
        elif len(twiml) > MAX_TWIML_CHARACTERS:
            raise RestError(400, 32018, "Twiml size exceeded maximum allowed value of 4000 characters")
        else:
            try:
                call.replace(parse(twiml))
            except ApplicationError as error:
                raise RestError(400, error.code, error.reason) from error

    def _find(self, request: web.Request) -> Call:
        call = self._calls.get(request.match_info["sid"])
        if call is None:
            raise not_found(request.path)
        return call

    def _resource(self, call: Call) -> dict[str, object]:
        report = call.report
        ended = report.ended_at_ms
        uri = f"/{API_VERSION}/Accounts/{self._account_sid}/Calls/{call.sid}"
        return {
            "account_sid": self._account_sid,
            "answered_by": None,
            "api_version": API_VERSION,
            "caller_name": None,
            "date_created": format_datetime(call.created_at),
            "date_updated": format_datetime(datetime.now(UTC)),
            "direction": "inbound",
            "duration": None if ended is None else str(round(ended / 1000)),
            "from": report.from_,
            "from_formatted": report.from_,
            "parent_call_sid": None,
            "phone_number_sid": None,
            "price": None,
            "price_unit": "USD",
            "sid": call.sid,
            "start_time": format_datetime(call.created_at),
            "status": report.status,
            "subresource_uris": {},
            "to": report.to,
            "to_formatted": report.to,
            "uri": f"{uri}.json",
        }
