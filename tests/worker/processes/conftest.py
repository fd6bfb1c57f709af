"""A front in the test's own process, and the processes that it has started."""

import asyncio
import http.client
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from tests.worker.conftest import worker_settings
from worker.active_calls import CallsWatch
from worker.processes.front import Front

PUPPET = (sys.executable, "-m", "tests.worker.processes.puppet")


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, Any]:
    """On the worker's own event loop."""
    return {"uvloop": uvloop.new_event_loop}


@dataclass
class Call:
    """A socket through the front, and the process that has it."""

    socket: ClientConnection
    pid: int


@dataclass
class Fronted:
    """A front, where it listens, and the calls through it."""

    front: Front
    port: int
    stop: asyncio.Event
    running: asyncio.Task[None]
    sockets: AsyncExitStack

    @property
    def pids(self) -> set[int]:
        """Of the processes that may be handed connections."""
        return {process.pid for process in self.front._by_rank()}

    async def up(self, count: int, but: int = 0) -> set[int]:
        """So many processes, none of them `but`."""
        await until(lambda: len(self.pids - {but}) == count)
        return self.pids

    async def call(self) -> Call:
        socket = await self.sockets.enter_async_context(connect(f"ws://127.0.0.1:{self.port}/", close_timeout=0.1))
        return Call(socket, int(await socket.recv()))

    async def calls(self, count: int) -> list[Call]:
        return [await self.call() for _ in range(count)]

    async def tell(self, path: str) -> int:
        """Asks whichever process gets the request for something; gives that process, or 0 if it did not answer."""

        def ask() -> int:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            try:
                connection.request("GET", path)
                return int(connection.getresponse().read())
            except (OSError, http.client.HTTPException):
                return 0
            finally:
                connection.close()

        return await asyncio.to_thread(ask)


@asynccontextmanager
async def fronted(
    processes: int, watches: Sequence[CallsWatch] = (), command: Sequence[str] = PUPPET
) -> AsyncIterator[Fronted]:
    """A front of so many puppets. What it ends with is told at the end."""
    settings = worker_settings("table", "https://sqs.example/queue", "http://model.example", processes=processes)
    front, stop = Front(settings, watches, command), asyncio.Event()
    running = asyncio.create_task(front.run(stop))
    async with AsyncExitStack() as sockets:
        try:
            yield Fronted(front, settings.port, stop, running, sockets)
        finally:
            await sockets.aclose()
            stop.set()
            async with asyncio.timeout(20):
                await running


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.01)


def spread(calls: Sequence[Call]) -> list[int]:
    """How many calls each process has, the fewest first."""
    return sorted(Counter(call.pid for call in calls).values())


def descriptors() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def sockets_of(pid: int) -> set[str]:
    """The sockets that a process has, by the kernel's names for them."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # one by which the folder itself was just read
            found.add(str(descriptor.readlink()))
    return {name for name in found if name.startswith("socket:")}


def gone(pid: int) -> bool:
    """Whether there is no such process any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
