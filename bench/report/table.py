"""A stand-in for DynamoDB: accepts every write at once and stores nothing.

A worker writes a few times in each turn of a call. The emulator would use more CPU for that than the rig itself. The
worker's work is the same: it signs a request and waits for the answer in a thread.
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
    """A listener that answers each connection's requests in turn, and counts them while `gauges` record."""

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
