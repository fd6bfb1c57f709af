"""One session's socket: gives each sent event its id, and records both directions with times, for tests."""

import asyncio
import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import ServerConnection

from local.model.ids import new_id

Event = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """An event as it was sent or received, and when, in seconds of the monotonic clock."""

    event: Event
    at: float


class SessionEnded(Exception):
    """The session ended before the awaited event."""


class Wire:
    """Sends and records events; `received` holds the client's JSON objects."""

    def __init__(self, connection: ServerConnection) -> None:
        self.sent: list[Recorded] = []
        self.received: list[Recorded] = []
        self._connection = connection
        self._changed = asyncio.Event()
        self._over = False

    async def send(self, name: str, /, **fields: Any) -> None:
        """Sends one server event; raises `ConnectionClosed` when the client is gone."""
        event = {"type": name, "event_id": new_id("event"), **fields}
        await self._connection.send(json.dumps(event))
        self._record(self.sent, event)

    async def send_frame(self, data: bytes, *, binary: bool) -> None:
        """Sends raw bytes, which need not be a valid event; they are not recorded."""
        await self._connection.send(data, text=not binary)

    def note_received(self, event: Event) -> None:
        """Records a client's event, even if it is then refused."""
        self._record(self.received, event)

    def note_end(self) -> None:
        """Marks the session as over, and ends every wait for an event."""
        self._over = True
        self._changed.set()

    def _record(self, log: list[Recorded], event: Event) -> None:
        log.append(Recorded(event, time.monotonic()))
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, log: list[Recorded], name: str, number: int) -> Event:
        """Waits for the `number`th event of a type in a log; raises `SessionEnded` if the session ends before."""
        while True:
            found = [record.event for record in log if record.event.get("type") == name]
            if len(found) >= number:
                return found[number - 1]
            if self._over:
                raise SessionEnded(f"the session ended with {len(found)} of {number} expected events '{name}'")
            await self._changed.wait()

    async def close(self, code: int, reason: str = "") -> None:
        """Closes the socket with a close frame."""
        await self._connection.close(code, reason)

    async def expire(self) -> None:
        """Ends the session as at the service's limit of 60 minutes."""
        message = "Your session hit the maximum duration of 60 minutes."
        error = {"type": "invalid_request_error", "code": "session_expired", "message": message, "param": None}
        await self.send("error", error=error | {"event_id": None})
        await self.close(1001, "session expired")

    async def reset(self) -> None:
        """Drops the connection with a TCP reset, as a crashed machine or a firewall does: no close frame, no FIN."""
        transport = self._connection.transport
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await self._connection.wait_closed()
