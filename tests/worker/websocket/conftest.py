"""Runs the tests of sockets on both event loops: uvloop, as in the worker, and asyncio's, as in other tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from worker.websocket.connection import Limits
from worker.websocket.server import Answer, Server, ServerSocket

LIMITS = Limits(message_bytes=1000, unsent_bytes=100_000, open_s=10)


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, Any]:
    """Every async test runs twice."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass
class Ear:
    """A receiver that records what it gets."""

    messages: list[bytes] = field(default_factory=list)
    ends: list[int | None] = field(default_factory=list)
    others: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def received(self, message: bytes) -> None:
        self.messages.append(message)
        self._changed.set()

    def other_frames(self, count: int) -> None:
        self.others += count
        self._changed.set()

    def lost(self, code: int | None) -> None:
        self.ends.append(code)
        self._changed.set()

    async def wait(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    async def heard(self, count: int) -> list[bytes]:
        await self.wait(lambda: len(self.messages) >= count)
        return self.messages

    async def end(self) -> int | None:
        await self.wait(lambda: bool(self.ends))
        (code,) = self.ends
        return code


@dataclass
class Host:
    """A server, and the sockets that were opened on it."""

    server: Server
    sockets: list[ServerSocket]
    opened: asyncio.Event

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/"

    async def socket(self, number: int = 1) -> ServerSocket:
        """Waits for the `number`-th opened socket."""
        async with asyncio.timeout(10):
            while len(self.sockets) < number:
                self.opened.clear()
                await self.opened.wait()
        return self.sockets[number - 1]


@asynccontextmanager
async def host(
    limits: Limits = LIMITS, check: Callable[[Any], Answer | None] = lambda _request: None
) -> AsyncIterator[Host]:
    """Runs a server on a port of this machine; it does nothing with opened sockets."""
    sockets: list[ServerSocket] = []
    opened = asyncio.Event()

    async def take(socket: ServerSocket) -> None:
        sockets.append(socket)
        opened.set()

    async with await Server(check, take, limits).listen(0, "127.0.0.1") as server:
        yield Host(server, sockets, opened)


async def open_by_hand(port: int, behind: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens a WebSocket whose client reads and writes raw bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: worker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + behind
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer
