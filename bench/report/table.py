"""Takes DynamoDB's place: accepts every write at once and keeps nothing.

A worker writes a few times for each turn of a call. The emulator would need more of the machine for that than the rig
does; for the worker, which signs a request and waits for its answer in a thread, it makes no difference.
"""

import asyncio
import re
from contextlib import suppress
from typing import Final

from bench.rig.gauges import Gauges
from local.stack.connections import Ends, Listener

_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DONE: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"


def table(gauges: Gauges, port: int) -> Listener:
    """Answers one request after the other on each connection, and counts them while `gauges` are recording."""

    async def serve(ends: Ends) -> None:
        reader, writer = ends
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client has left
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _CONTENT_LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                gauges.writes += gauges.recording
                writer.write(_DONE)

    return Listener(serve, port)
