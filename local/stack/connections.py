"""TCP on this machine: a listener that can drop its connections, and a function that joins two connections."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from local.stack.process import HOST

_CHUNK: Final = 64 * 1024

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Listener:
    """Listens inside its context on `port`; with 0 it chooses a free port and sets `port`.

    Each connection is passed to `serve`, and closed when `serve` returns. `limit` bounds a connection's `readuntil`,
    in bytes.
    """

    def __init__(self, serve: Callable[[Ends], Awaitable[None]], port: int = 0, *, limit: int = _CHUNK) -> None:
        self.port = port
        self._serve, self._limit = serve, limit
        self._connections: set[asyncio.Task[None]] = set()

    def drop_all(self) -> None:
        """Drops every open connection; new ones are still accepted."""
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
    """Copies bytes both ways until the part behind ends its side, or either connection is lost."""
    there = asyncio.create_task(_carry(front[0], behind[1]))
    try:
        await _carry(behind[0], front[1])
    finally:
        there.cancel()
        await asyncio.gather(there, return_exceptions=True)


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    # A lost connection is a normal end here: the other side's connection is then closed too.
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
        sink.write_eof()
