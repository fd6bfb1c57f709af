"""The IncomingPhoneNumbers resource: the account's numbers, and which webhook each calls."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web

from local.twilio.rest.errors import not_found
from local.twilio.rest.page import page
from local.twilio.webhook_fields import API_VERSION

SETTINGS = {  # a request's parameter and the resource's field
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "FriendlyName": "friendly_name",
}


@dataclass
class PhoneNumber:
    """One number of the account, with its settings as the resource names them."""

    phone_number: str
    sid: str = field(default_factory=lambda: f"PN{uuid4().hex}")
    settings: dict[str, str] = field(default_factory=lambda: {"voice_method": "POST", "voice_fallback_method": "POST"})


class PhoneNumbers:
    """The account's numbers, by number."""

    def __init__(self, account_sid: str, numbers: Iterable[str]) -> None:
        self._account_sid = account_sid
        self._numbers = {number: PhoneNumber(number) for number in numbers}

    def routes(self, root: str) -> list[web.RouteDef]:
        """The resource's routes below the account's."""
        return [
            web.get(f"{root}/IncomingPhoneNumbers.json", self._list),
            web.get(f"{root}/IncomingPhoneNumbers/{{sid}}.json", self._fetch),
            web.post(f"{root}/IncomingPhoneNumbers/{{sid}}.json", self._update),
        ]

    def get(self, number: str) -> PhoneNumber | None:
        """The number's settings, if it is the account's."""
        return self._numbers.get(number)

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("PhoneNumber", "")
        found = [self._resource(number) for number in self._numbers.values() if wanted in number.phone_number]
        return page(request, "incoming_phone_numbers", found)

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._resource(self._find(request)))

    async def _update(self, request: web.Request) -> web.Response:
        number = self._find(request)
        for name, value in (await request.post()).items():
            if name in SETTINGS:
                number.settings[SETTINGS[name]] = str(value)
        return web.json_response(self._resource(number))

    def _find(self, request: web.Request) -> PhoneNumber:
        for number in self._numbers.values():
            if number.sid == request.match_info["sid"]:
                return number
        raise not_found(request.path)

    def _resource(self, number: PhoneNumber) -> dict[str, object]:
        return {
            "account_sid": self._account_sid,
            "api_version": API_VERSION,
            "capabilities": {"voice": True, "sms": True, "mms": False, "fax": False},
            "phone_number": number.phone_number,
            "sid": number.sid,
            "status": "in-use",
            "uri": f"/{API_VERSION}/Accounts/{self._account_sid}/IncomingPhoneNumbers/{number.sid}.json",
            **{name: number.settings.get(name) for name in SETTINGS.values()},
        }
