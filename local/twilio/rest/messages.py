"""The Messages resource: records each SMS and sends none."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from math import ceil
from uuid import uuid4

from aiohttp import web

from local.twilio.rest.server import RestError, not_found
from local.twilio.webhook import API_VERSION, E164

MAX_BODY_CHARACTERS = 1600
SEGMENT_SIZES = {True: (160, 153), False: (70, 67)}  # characters in a single SMS, in a part of a longer one
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)


@dataclass(frozen=True)
class Message:
    """An accepted SMS."""

    sid: str
    to: str
    from_: str
    body: str
    sent_at: datetime

    @property
    def segments(self) -> int:
        """How many SMS segments it takes."""
        alone, chained = SEGMENT_SIZES[GSM_7.issuperset(self.body)]
        return 1 if len(self.body) <= alone else ceil(len(self.body) / chained)


class Messages:
    """All messages of the account. Only `numbers` may send; with None, any number may."""

    def __init__(self, account_sid: str, numbers: Collection[str] | None) -> None:
        self.sent: list[Message] = []
        self._account_sid = account_sid
        self._numbers = numbers
        self._arrival = asyncio.Condition()

    def routes(self, root: str) -> list[web.RouteDef]:
        """The resource's routes, under the account's path."""
        return [
            web.post(f"{root}/Messages.json", self._create),
            web.get(f"{root}/Messages/{{sid}}.json", self._fetch),
        ]

    async def wait_for(self, count: int, limit_s: float) -> list[Message]:
        """Waits until there are `count` messages, and returns all; raises TimeoutError after `limit_s`."""
        async with asyncio.timeout(limit_s), self._arrival:
            await self._arrival.wait_for(lambda: len(self.sent) >= count)
        return list(self.sent)

    async def _create(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self._check(form)
        message = Message(f"SM{uuid4().hex}", form["To"], form["From"], form["Body"], datetime.now(UTC))
        async with self._arrival:
            self.sent.append(message)
            self._arrival.notify_all()
        return web.json_response(self._resource(message), status=201)

    async def _fetch(self, request: web.Request) -> web.Response:
        for message in self.sent:
            if message.sid == request.match_info["sid"]:
                return web.json_response(self._resource(message))
        raise not_found(request.path)

    def _check(self, form: Mapping[str, str]) -> None:
        to, from_, body = (form.get(name, "") for name in ("To", "From", "Body"))
        if not to:
            raise RestError(400, 21604, "A 'To' phone number is required.")
        if not body:
            raise RestError(400, 21602, "Message body is required.")
        if not from_:
            raise RestError(400, 21603, "A 'From' phone number is required.")
        if not E164.fullmatch(to):
            raise RestError(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if to == from_:
            raise RestError(400, 21266, "'To' and 'From' number cannot be the same")
        if not E164.fullmatch(from_) or (self._numbers is not None and from_ not in self._numbers):
            raise RestError(400, 21659, f"'From' {from_} is not a Twilio phone number or Short Code country mismatch")
        if len(body) > MAX_BODY_CHARACTERS:
            raise RestError(400, 21617, "The concatenated message body exceeds the 1600 character limit")

    def _resource(self, message: Message) -> dict[str, object]:
        return {
            "account_sid": self._account_sid,
            "body": message.body,
            "date_created": format_datetime(message.sent_at),
            "direction": "outbound-api",
            "error_code": None,
            "from": message.from_,
            "num_segments": str(message.segments),
            "sid": message.sid,
            "status": "queued",
            "to": message.to,
            "uri": f"/{API_VERSION}/Accounts/{self._account_sid}/Messages/{message.sid}.json",
        }
