"""TCP connections on this machine: taken by a listener that can drop them, and joined to others, byte by byte."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from local.stack.process import HOST

_CHUNK: Final = 64 * 1024

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Listener:
    """Listens inside of its context on `port` (0: any free one, which `port` then is).

    Each connection is given to `serve`, and is closed when that has returned. `limit` is the most, in bytes, that a
    connection's `readuntil` reads.
    """

    def __init__(self, serve: Callable[[Ends], Awaitable[None]], port: int = 0, *, limit: int = _CHUNK) -> None:
        self.port = port
        self._serve, self._limit = serve, limit
        self._connections: set[asyncio.Task[None]] = set()

    def drop_all(self) -> None:
        """Ends every connection there is; new ones are taken as before."""
        for connection in self._connections:
            connection.cancel()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=self._limit)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.drop_all()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._live(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _live(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await self._serve((reader, writer))


async def join(front: Ends, behind: Ends) -> None:
    """Carry bytes both ways until the part behind has ended its side, or either connection is lost."""
    there = asyncio.create_task(_carry(front[0], behind[1]))
    try:
        await _carry(behind[0], front[1])
    finally:
        there.cancel()
        await asyncio.gather(there, return_exceptions=True)


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    # A lost connection is an ordinary end here: the other side learns of it by its own connection ending.
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
        sink.write_eof()
