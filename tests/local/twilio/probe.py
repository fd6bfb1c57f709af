"""A small media stream server on a real port: records Twilio's messages, and reacts as a test defines."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from twilio.request_validator import RequestValidator
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.local.twilio.application import AUTH_TOKEN, STREAM_URL


@dataclass
class Conversation:
    """One stream as the server sees it."""

    socket: ServerConnection
    messages: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False

    @property
    def stream_sid(self) -> str:
        """The sid from the start message."""
        return str(self.of("start")[0]["streamSid"])

    def of(self, event: str) -> list[dict[str, Any]]:
        """The messages of one event."""
        return [message for message in self.messages if message["event"] == event]

    async def play(self, audio: bytes, *, mark: str | None = None) -> None:
        """Sends audio, and a mark after it."""
        await self.send({"event": "media", "media": {"payload": b64encode(audio).decode()}})
        if mark is not None:
            await self.send({"event": "mark", "mark": {"name": mark}})

    async def clear(self) -> None:
        """Sends a clear."""
        await self.send({"event": "clear"})

    async def send(self, message: dict[str, Any]) -> None:
        """Sends a message of this stream."""
        await self.socket.send(json.dumps({"streamSid": self.stream_sid, **message}))


Reaction = Callable[[Conversation, dict[str, Any]], Awaitable[None]]


async def listen_only(_conversation: Conversation, _message: dict[str, Any]) -> None:
    """The reaction of a server that only listens."""


async def greet(conversation: Conversation, message: dict[str, Any]) -> None:
    """Speaks for a second once the stream has started."""
    if message["event"] == "start":
        await conversation.play(b"\x10" * 8000, mark="greeting")


async def close_on_start(conversation: Conversation, message: dict[str, Any]) -> None:
    """Ends the stream at once."""
    if message["event"] == "start":
        await conversation.socket.close()


@dataclass
class Probe:
    """Calls `react` for each message of each stream. `signed` has the URL of each validly signed handshake."""

    react: Reaction = listen_only
    conversations: list[Conversation] = field(default_factory=list)
    signed: list[str | None] = field(default_factory=list)
    address: str = ""
    _server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(self._converse, "127.0.0.1", 0, compression=None)
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.address = f"ws://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        signature = socket.request.headers.get("X-Twilio-Signature", "")
        validator = RequestValidator(AUTH_TOKEN)
        urls = [url for url in (STREAM_URL, f"{STREAM_URL}/") if validator.validate(url, {}, signature)]
        self.signed.append(urls[0] if urls else None)
        conversation = Conversation(socket)
        self.conversations.append(conversation)
        try:
            async for text in socket:
                message = json.loads(text)
                conversation.messages.append(message)
                await self.react(conversation, message)
        except ConnectionClosed:
            pass
        finally:
            conversation.closed = True
