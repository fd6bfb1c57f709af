"""A small application on a real HTTP port: answers webhooks with prepared TwiML, and checks signatures."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web
from twilio.request_validator import RequestValidator

PUBLIC_URL = "https://bellhop.example"
STREAM_URL = "wss://worker.example/media-stream"
ACCOUNT_SID = "AC" + "1" * 32
AUTH_TOKEN = "an auth token"


@dataclass(frozen=True)
class Asked:
    """A received webhook request; `signed` is the result of Twilio's own validator."""

    method: str
    path: str
    fields: dict[str, str]
    signed: bool


@dataclass
class Reply:
    """An answer to a webhook, which may be invalid."""

    body: str
    status: int = 200
    content_type: str = "text/xml"
    delay_s: float = 0.0


@dataclass
class Application:
    """`replies` by path; a path's last reply is repeated. A string is TwiML without <Response> around it."""

    replies: dict[str, list[str | Reply]] = field(default_factory=lambda: defaultdict(list))
    asked: list[Asked] = field(default_factory=list)
    address: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def paths(self) -> list[str]:
        """The requested paths, in order."""
        return [asked.path for asked in self.asked]

    async def _answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        url = f"{PUBLIC_URL}{request.raw_path}"
        signature = request.headers.get("X-Twilio-Signature", "")
        signed = bool(RequestValidator(AUTH_TOKEN).validate(url, form, signature))
        self.asked.append(Asked(request.method, request.path, form or dict(request.query), signed))
        replies = self.replies[request.path]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, str):
            reply = Reply(f'<?xml version="1.0" encoding="UTF-8"?><Response>{reply}</Response>')
        await asyncio.sleep(reply.delay_s)
        return web.Response(text=reply.body, status=reply.status, content_type=reply.content_type)
