"""One session's socket: each event sent gets its id here, and both directions are kept with their times for tests to
read."""

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
    """An event as it was on the wire, and when, in seconds of the monotonic clock."""

    event: Event
    at: float


class SessionEnded(Exception):
    """What was waited for can no longer come: the session is over."""


class Wire:
    """Sends and records; `received` holds what was a JSON object."""

    def __init__(self, connection: ServerConnection) -> None:
        self.sent: list[Recorded] = []
        self.received: list[Recorded] = []
        self._connection = connection
        self._news = asyncio.Event()
        self._over = False

    async def send(self, name: str, /, **fields: Any) -> None:
        """Sends one server event; raises `ConnectionClosed` when the client is gone."""
        event = {"type": name, "event_id": new_id("event"), **fields}
        await self._connection.send(json.dumps(event))
        self._record(self.sent, event)

    async def send_frame(self, data: bytes, *, binary: bool) -> None:
        """Sends what may be no event at all; it is not recorded."""
        await self._connection.send(data, text=not binary)

    def note_received(self, event: Event) -> None:
        """Keeps a client's event, whether it will be refused or not."""
        self._record(self.received, event)

    def note_end(self) -> None:
        """The session is over: whoever waits for an event waits no longer."""
        self._over = True
        self._news.set()

    def _record(self, log: list[Recorded], event: Event) -> None:
        log.append(Recorded(event, time.monotonic()))
        self._news.set()
        self._news = asyncio.Event()

    async def wait(self, log: list[Recorded], name: str, number: int) -> Event:
        """The `number`th event of a type in a log, when it is there; raises `SessionEnded` if it will never be."""
        while True:
            found = [record.event for record in log if record.event.get("type") == name]
            if len(found) >= number:
                return found[number - 1]
            if self._over:
                raise SessionEnded(f"the session ended with {len(found)} events '{name}', {number} were waited for")
            await self._news.wait()

    async def close(self, code: int, reason: str = "") -> None:
        """Closes the socket with a close frame."""
        await self._connection.close(code, reason)

    async def expire(self) -> None:
        """Ends the session as its 60 minutes do."""
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
