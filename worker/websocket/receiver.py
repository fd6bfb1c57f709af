"""Who takes what arrives on a socket."""

import asyncio
from collections import deque
from typing import Final, Protocol

# A stream that has just begun sends two messages before it is let in; more is read when somebody listens.
_MOST_WAITING_MESSAGES: Final = 8


class SocketLost(Exception):
    """The socket is gone; `code` is what the peer closed it with, if it did."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"the socket was lost ({code})")
        self.code = code


class Receiver(Protocol):
    """Is told of every message as it arrives, in order, and last of the end, once."""

    def received(self, message: bytes) -> None: ...

    def other_frames(self, count: int) -> None:
        """So many frames have arrived beside these messages: pings, pongs, and parts of a message."""

    def lost(self, code: int | None) -> None:
        """The peer said goodbye, with a code, or is gone without one."""


class Discard:
    """Takes no notice of anything, once a socket is closed."""

    def received(self, message: bytes) -> None: ...

    def other_frames(self, count: int) -> None: ...

    def lost(self, code: int | None) -> None: ...


class Buffer:
    """Keeps what arrives for whoever will listen."""

    def __init__(self) -> None:
        self.end: SocketLost | None = None
        self._messages: deque[bytes] = deque()
        self._news = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether no more should be read before one of these is taken."""
        return len(self._messages) >= _MOST_WAITING_MESSAGES

    def received(self, message: bytes) -> None:
        self._messages.append(message)
        self._news.set()

    def other_frames(self, count: int) -> None: ...

    def lost(self, code: int | None) -> None:
        self.end = SocketLost(code)
        self._news.set()

    def take(self) -> bytes | None:
        """The first message that waits."""
        return self._messages.popleft() if self._messages else None

    async def next(self) -> bytes:
        """The next message; raises `SocketLost` when there will be none."""
        while (message := self.take()) is None:
            if self.end:
                raise self.end
            self._news.clear()
            await self._news.wait()
        return message
