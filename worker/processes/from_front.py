"""The way into a worker that is one of several processes: the front hands it connections, and hears how busy it is."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from shared.logs import logger
from worker.faults import supervised
from worker.processes.channel import Status, open_socket, receive_connection
from worker.sockets.server import Server

# At least, for silence is how the front knows a process that hangs.
_REPORT_EVERY_S: Final = 0.25

_log = logger("worker")


class FromFront:
    """Made from the descriptor that the front started this process with."""

    def __init__(self, descriptor: int) -> None:
        self._channel = open_socket(descriptor)
        self._taken = 0
        self._unsent = b""

    async def lead_to(
        self, server: Server, calls: Callable[[], int], takes_calls: Callable[[], bool], stop: asyncio.Event
    ) -> None:
        """Runs until it is cancelled. Sets `stop` when the front is gone, since nobody will count these calls then."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._channel, self._take, server, stop)
        try:
            await supervised("reports to the front", lambda: self._keep_reporting(server, calls, takes_calls))
        finally:
            loop.remove_reader(self._channel)
            self._channel.close()

    async def _keep_reporting(self, server: Server, calls: Callable[[], int], takes_calls: Callable[[], bool]) -> None:
        while True:
            self._report(Status(self._taken, len(server.sockets), calls(), takes_calls()))
            server.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_REPORT_EVERY_S):
                    await server.changed.wait()

    def _take(self, server: Server, stop: asyncio.Event) -> None:
        try:
            connection = receive_connection(self._channel)
        except BlockingIOError:
            return
        except EOFError:
            _log.error("the front is gone")
            asyncio.get_running_loop().remove_reader(self._channel)
            stop.set()
            return
        self._taken += 1
        if connection:
            server.adopt(connection)

    def _report(self, status: Status) -> None:
        """A front that does not read just then gets the next one; that it is gone is seen where connections come."""
        self._unsent = self._unsent or status.pack()
        with suppress(BlockingIOError, ConnectionError):
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
