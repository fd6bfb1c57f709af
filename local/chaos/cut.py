"""A line that can be cut: a TCP proxy between the workers and AWS."""

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

from local.process import HOST

_CHUNK: Final = 64 * 1024


class Line:
    """Listens inside of its context; `url` leads to `port` while it is whole, and drops every connection while cut."""

    def __init__(self) -> None:
        self.port = 0
        self._whole = True
        self._url = ""
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return self._url

    def cut(self) -> None:
        """From now on nobody gets through, and whoever was through is not any more."""
        self._whole = False
        for connection in self._connections:
            connection.cancel()

    def mend(self) -> None:
        """Lets everybody through again."""
        self._whole = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST)
        self._url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.close()
            return
        connection = asyncio.create_task(self._join(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection(HOST, self.port)
            with contextlib.closing(there_writer):
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_carry(reader, there_writer))
                    tasks.create_task(_carry(there_reader, writer))


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
    sink.close()
