"""The Conferences resource: which there are, and who is in them. Nothing can be changed through it yet."""

from email.utils import format_datetime

from aiohttp import web

from local.twilio.conference import Participant, Room
from local.twilio.rest.errors import not_found
from local.twilio.rest.page import page
from local.twilio.switchboard import Switchboard
from local.twilio.webhook_fields import API_VERSION


class Conferences:
    """All conferences of the account."""

    def __init__(self, account_sid: str, switchboard: Switchboard) -> None:
        self._uri = f"/{API_VERSION}/Accounts/{account_sid}/Conferences"
        self._account_sid = account_sid
        self._switchboard = switchboard

    def routes(self, root: str) -> list[web.RouteDef]:
        """The resource's routes below the account's."""
        one = f"{root}/Conferences/{{sid}}"
        return [
            web.get(f"{root}/Conferences.json", self._list),
            web.get(f"{one}.json", self._fetch),
            web.get(f"{one}/Participants.json", self._participants),
            web.get(f"{one}/Participants/{{call_sid}}.json", self._participant),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        name, status = request.query.get("FriendlyName"), request.query.get("Status")
        rooms = self._switchboard.conferences.rooms
        fitting = [room for room in rooms if name in (None, room.name) and status in (None, room.state)]
        return page(request, "conferences", [self._resource(room) for room in reversed(fitting)])

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._resource(self._find(request)))

    async def _participants(self, request: web.Request) -> web.Response:
        room = self._find(request)
        found = [self._of_participant(room, each) for each in room.participants.values()]
        return page(request, "participants", found)

    async def _participant(self, request: web.Request) -> web.Response:
        room, wanted = self._find(request), request.match_info["call_sid"]
        for each in room.participants.values():
            if wanted in {each.call_sid, each.noun.label}:
                return web.json_response(self._of_participant(room, each))
        raise not_found(request.path)

    def _find(self, request: web.Request) -> Room:
        for room in self._switchboard.conferences.rooms:
            if room.sid == request.match_info["sid"]:
                return room
        raise not_found(request.path)

    def _resource(self, room: Room) -> dict[str, object]:
        date = format_datetime(room.created_at)
        return {
            "account_sid": self._account_sid,
            "api_version": API_VERSION,
            "call_sid_ending_conference": room.ended_by.call_sid if room.ended_by else None,
            "date_created": date,
            "date_updated": date,
            "friendly_name": room.name,
            "reason_conference_ended": room.why_ended,
            "region": "us1",
            "sid": room.sid,
            "status": room.state,
            "subresource_uris": {"participants": f"{self._uri}/{room.sid}/Participants.json"},
            "uri": f"{self._uri}/{room.sid}.json",
        }

    def _of_participant(self, room: Room, participant: Participant) -> dict[str, object]:
        date, noun = format_datetime(participant.joined_at), participant.noun
        return {
            "account_sid": self._account_sid,
            "api_version": API_VERSION,
            "call_sid": participant.call_sid,
            "call_sid_to_coach": None,
            "coaching": False,
            "conference_sid": room.sid,
            "date_created": date,
            "date_updated": date,
            "end_conference_on_exit": noun.ends_on_exit,
            "hold": False,
            "label": noun.label or None,
            "muted": noun.muted,
            "start_conference_on_enter": noun.starts_on_enter,
            "status": "connected",
            "uri": f"{self._uri}/{room.sid}/Participants/{participant.call_sid}.json",
        }
