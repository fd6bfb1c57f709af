"""Who takes what arrives on a socket."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

# A stream that has just begun sends a few KiB before it is let in; more is read when somebody listens.
_MOST_WAITING_BYTES: Final = 64 * 1024


class SocketLost(Exception):
    """The socket is gone; `code` is what the peer closed it with, if it did."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"the socket was lost ({code})")
        self.code = code


class Receiver(Protocol):
    """Is told of every message as it arrives, in order, and last of the end, once."""

    def received(self, message: bytes) -> None: ...

    def lost(self, code: int | None) -> None:
        """The peer said goodbye, with a code, or is gone without one."""


class Nobody:
    """Does not listen."""

    def received(self, message: bytes) -> None: ...

    def lost(self, code: int | None) -> None: ...


class Waiting:
    """Keeps what arrives for whoever will listen; tells when that is as much as may wait."""

    def __init__(self, is_full: Callable[[], None]) -> None:
        self.end: SocketLost | None = None
        self._is_full = is_full
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    @property
    def full(self) -> bool:
        return self._bytes > _MOST_WAITING_BYTES

    def received(self, message: bytes) -> None:
        self._messages.append(message)
        self._bytes += len(message)
        self._news.set()
        if self.full:
            self._is_full()

    def lost(self, code: int | None) -> None:
        self.end = SocketLost(code)
        self._news.set()

    def take(self) -> bytes | None:
        """The first message that waits."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._bytes -= len(message)
        return message

    async def next(self) -> bytes:
        """The next message; raises `SocketLost` when there will be none."""
        while (message := self.take()) is None:
            if self.end:
                raise self.end
            self._news.clear()
            await self._news.wait()
        return message
