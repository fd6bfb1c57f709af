"""Takes DynamoDB's place: accepts every write at once and keeps nothing.

A worker writes a few times for each turn of a call. The emulator would need more of the machine for that than the rig
does; for the worker, which signs a request and waits for its answer in a thread, it makes no difference.
"""

import asyncio
import re
from typing import Final, cast

from bench.gauges import Gauges

_END_OF_HEAD: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DONE: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"


class Table:
    """Listens on a port of this machine, and counts what it has answered."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._connections: set[_Connection] = set()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._connection, host, port)

    def _connection(self) -> "_Connection":
        connection = _Connection(self._gauges)
        self._connections.add(connection)
        return connection

    def abort(self) -> None:
        """Ends all connections; clients keep theirs as long as they can."""
        for connection in self._connections:
            connection.abort()


class _Connection(asyncio.Protocol):
    """Answers one request after the other, for as long as the client stays."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._transport: asyncio.WriteTransport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := _end_of_request(self._rest)) is not None:
            self._rest = self._rest[end:]
            self._gauges.writes += self._gauges.recording
            if self._transport is not None:
                self._transport.write(_DONE)


def _end_of_request(data: bytes) -> int | None:
    """Where the first request ends, or None if it is not all there."""
    head, found, _body = data.partition(_END_OF_HEAD)
    if not found:
        return None
    length = _CONTENT_LENGTH.search(head)
    end = len(head) + len(_END_OF_HEAD) + (int(length[1]) if length else 0)
    return end if end <= len(data) else None
