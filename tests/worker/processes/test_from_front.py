"""A process's end of the socket to the front, with a server of ours behind it."""

import asyncio
import http
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tests.worker.processes.conftest import until
from worker.processes import from_front
from worker.processes.channel import Status, Statuses, send_connection
from worker.processes.from_front import FromFront
from worker.sockets.server import Answer, Server, ServerSocket
from worker.sockets.web_socket import Limits

LIMITS = Limits(message_bytes=1000, unsent_bytes=100_000, open_s=10)


@dataclass
class Led:
    """A process whose front is the test."""

    channel: socket.socket
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    takes_calls: bool = True
    _statuses: Statuses = field(default_factory=Statuses)
    _last: Status | None = None

    def says(self, status: Status) -> bool:
        """Whether that was the last that it said."""
        with suppress(BlockingIOError):
            while True:
                self._last = self._statuses.newest(self.channel) or self._last
        return self._last == status


@asynccontextmanager
async def led() -> AsyncIterator[Led]:
    """Leads to a server that refuses whatever is asked."""
    front, theirs = socket.socketpair()
    front.setblocking(False)
    running = Led(front)

    def refuse(_request: object) -> Answer:
        return Answer(http.HTTPStatus.FORBIDDEN, "no\n")

    async def take(_socket: ServerSocket) -> None:
        raise AssertionError("nothing is let in")

    async with Server(refuse, take, LIMITS) as server:
        way_in = FromFront(theirs.detach())
        leading = way_in.lead_to(server, lambda: running.calls, lambda: running.takes_calls, running.stop)
        task = asyncio.create_task(leading)
        with front:
            yield running
        task.cancel()


async def test_a_connection() -> None:
    """It is served, and reported from its coming to its end."""
    async with led() as running:
        await until(lambda: running.says(Status(0, 0, 0, takes_calls=True)))
        here, there = socket.socketpair()
        with here:
            with there:
                send_connection(running.channel, there)
            await until(lambda: running.says(Status(1, 1, 0, takes_calls=True)))
            here.sendall(b"GET / HTTP/1.1\r\nHost: worker\r\n\r\n")
            assert b"403" in await asyncio.to_thread(here.recv, 1000)
        await until(lambda: running.says(Status(1, 0, 0, takes_calls=True)))


async def test_how_busy() -> None:
    """What changes otherwise is said before long."""
    async with led() as running:
        running.calls, running.takes_calls = 7, False
        await until(lambda: running.says(Status(0, 0, 7, takes_calls=False)))


async def test_a_connection_lost_on_its_way() -> None:
    """It counts as taken, or the front would take it for a connection for ever."""
    async with led() as running:
        running.channel.send(b"c")
        await until(lambda: running.says(Status(1, 0, 0, takes_calls=True)))


async def test_the_front_is_gone() -> None:
    """Then it is time to stop."""
    async with led() as running:
        running.channel.close()
        async with asyncio.timeout(10):
            await running.stop.wait()


async def test_a_front_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it, and once it reads again it hears how it is by then."""
    monkeypatch.setattr(from_front, "_REPORT_EVERY_S", 0)
    async with led() as running:
        for _ in range(5000):
            await asyncio.sleep(0)
        running.calls = 7
        await until(lambda: running.says(Status(0, 0, 7, takes_calls=True)))
