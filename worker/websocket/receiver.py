"""Receivers of the messages of a socket."""

import asyncio
from collections import deque
from typing import Final, Protocol

# A new stream sends two messages before it is admitted; no more than this is read before `listen`.
_MAX_WAITING_MESSAGES: Final = 8


class SocketLost(Exception):
    """The socket is closed or broken; `code` is the peer's close code, if it sent one."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"the socket was lost ({code})")
        self.code = code


class Receiver(Protocol):
    """Gets every message as it arrives, in order, and finally, once, the end of the socket."""

    def received(self, message: bytes) -> None: ...

    def other_frames(self, count: int) -> None:
        """`count` other frames have arrived: pings, pongs, and fragments."""

    def lost(self, code: int | None) -> None:
        """The peer closed the socket with `code`, or the connection broke (None)."""


class Discard:
    """Discards everything, for a closed socket."""

    def received(self, message: bytes) -> None: ...

    def other_frames(self, count: int) -> None: ...

    def lost(self, code: int | None) -> None: ...


class Buffer:
    """Keeps messages until a receiver listens."""

    def __init__(self) -> None:
        self.end: SocketLost | None = None
        self._messages: deque[bytes] = deque()
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether reading should pause until a message is taken."""
        return len(self._messages) >= _MAX_WAITING_MESSAGES

    def received(self, message: bytes) -> None:
        self._messages.append(message)
        self._changed.set()

    def other_frames(self, count: int) -> None: ...

    def lost(self, code: int | None) -> None:
        self.end = SocketLost(code)
        self._changed.set()

    def take(self) -> bytes | None:
        """Removes and returns the first waiting message; None if there is none."""
        return self._messages.popleft() if self._messages else None

    async def next(self) -> bytes:
        """Waits for the next message; raises `SocketLost` after the last one."""
        while (message := self.take()) is None:
            if self.end:
                raise self.end
            self._changed.clear()
            await self._changed.wait()
        return message
