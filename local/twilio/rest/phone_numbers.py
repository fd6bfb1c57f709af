"""The IncomingPhoneNumbers resource: the account's numbers and their webhooks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web

from local.twilio.rest.server import not_found
from local.twilio.webhook import API_VERSION, Request

SETTINGS = {  # request parameter: field of the resource
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
}


@dataclass
class PhoneNumber:
    """One number of the account, with its settings by the resource's field names."""

    phone_number: str
    sid: str = field(default_factory=lambda: f"PN{uuid4().hex}")
    settings: dict[str, str] = field(default_factory=lambda: {"voice_method": "POST", "voice_fallback_method": "POST"})


class PhoneNumbers:
    """The account's numbers, by number."""

    def __init__(self, account_sid: str, numbers: Iterable[str]) -> None:
        self._account_sid = account_sid
        self._numbers = {number: PhoneNumber(number) for number in numbers}

    def routes(self, root: str) -> list[web.RouteDef]:
        """The resource's routes, under the account's path."""
        return [
            web.get(f"{root}/IncomingPhoneNumbers.json", self._list),
            web.post(f"{root}/IncomingPhoneNumbers/{{sid}}.json", self._update),
        ]

    def voice(self, number: str) -> tuple[Request, str | None]:
        """The webhook for calls to the number, and its fallback. Raises ValueError if none is set."""
        known = self._numbers.get(number)
        settings = known.settings if known is not None else {}
        if not settings.get("voice_url"):
            raise ValueError(f"{number} has no webhook: pass one, or set the number's VoiceUrl through REST")
        return Request(settings["voice_url"], settings["voice_method"]), settings.get("voice_fallback_url")

    async def _list(self, request: web.Request) -> web.Response:
        """Returns all numbers on one page."""
        wanted = request.query.get("PhoneNumber", "")
        found = [self._resource(number) for number in self._numbers.values() if wanted in number.phone_number]
        page = {"page": 0, "page_size": 50, "next_page_uri": None, "uri": request.path_qs}
        return web.json_response({"incoming_phone_numbers": found, **page})

    async def _update(self, request: web.Request) -> web.Response:
        for number in self._numbers.values():
            if number.sid == request.match_info["sid"]:
                form = await request.post()
                number.settings |= {SETTINGS[name]: str(form[name]) for name in form if name in SETTINGS}
                return web.json_response(self._resource(number))
        raise not_found(request.path)

    def _resource(self, number: PhoneNumber) -> dict[str, object]:
        return {
            "account_sid": self._account_sid,
            "capabilities": {"voice": True, "sms": True, "mms": False, "fax": False},
            "phone_number": number.phone_number,
            "sid": number.sid,
            "status": "in-use",
            "uri": f"/{API_VERSION}/Accounts/{self._account_sid}/IncomingPhoneNumbers/{number.sid}.json",
            **{name: number.settings.get(name) for name in SETTINGS.values()},
        }
