"""The rig's event loop: wakes up on time, and reads its sockets as cheaply as Python can."""

import asyncio
import os
import select
import selectors
import time
from collections.abc import Callable
from contextvars import Context
from typing import Final, TypeVarTuple, cast

_Ts = TypeVarTuple("_Ts")
_MOST_AT_ONCE: Final = 16 * 1024  # bytes in one read


class PromptSelector(selectors.EpollSelector):
    """Waits with microsecond precision: epoll waits for whole milliseconds, select(2) on its descriptor does not.

    It reads registered sockets itself, without the event loop's queue of callbacks. `broken` gets the descriptor and
    the error of a connection whose reader fails; other connections go on.
    """

    def __init__(self, broken: Callable[[int, Exception], None]) -> None:
        super().__init__()
        self.called = False  # whether a callback was scheduled since: then `select` must return to the loop
        self._broken = broken
        self._prompt = select.epoll()
        self._prompt.register(self.fileno(), select.EPOLLIN)
        self._takers: dict[int, Callable[[bytes], None]] = {}

    def add(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._takers[descriptor] = take
        self._prompt.register(descriptor, select.EPOLLIN)

    def drop(self, descriptor: int) -> None:
        if self._takers.pop(descriptor, None):
            self._prompt.unregister(descriptor)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Returns when the loop has something to do; until then, reads whatever arrives."""
        self.called, prompt = False, [self._prompt.fileno()]
        until = None if timeout is None else time.monotonic() + timeout
        left = timeout
        while True:
            ready, _, _ = select.select(prompt, [], [], None if left is None else max(left, 0))
            if ready and self._read():
                return super().select(0)
            if self.called:
                return []
            if until is not None and (left := until - time.monotonic()) <= 0:
                return []

    def _read(self) -> bool:
        """Reads the registered sockets; True if there is also something for the loop itself.

        It reads all sockets before it handles the first message: alternating takes 50 % more CPU time.
        """
        own, others, arrived = self.fileno(), False, []
        for descriptor, _event in self._prompt.poll(0):
            if descriptor == own:
                others = True
                continue
            try:
                arrived.append((descriptor, os.read(descriptor, _MOST_AT_ONCE)))
            except OSError:
                arrived.append((descriptor, b""))
        for descriptor, data in arrived:
            if take := self._takers.get(descriptor):  # unless an earlier message has just ended it
                try:
                    take(data)
                except Exception as fault:  # noqa: BLE001 - after any error, the other connections go on
                    self._broken(descriptor, fault)
        return others

    def close(self) -> None:
        self._prompt.close()
        super().close()


class RigLoop(asyncio.SelectorEventLoop):
    """An event loop whose transports, unlike uvloop's, write at once, so that a stamp's time is the time of sending."""

    def __init__(self) -> None:
        self._prompt_selector = PromptSelector(self._end)
        self._transports: dict[int, asyncio.ReadTransport] = {}  # of sockets that the selector reads
        super().__init__(self._prompt_selector)

    # Scheduled callbacks must stop `select`, which would otherwise go on reading.

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._prompt_selector.called = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._prompt_selector.called = True
        return super().call_at(when, callback, *args, context=context)

    def read_promptly(self, transport: asyncio.ReadTransport, take: Callable[[bytes], None]) -> None:
        """Reads the transport's socket in its place, and calls `take` with the bytes; b"" at the end of the stream.

        After that, call `read_usually`, so that the transport finds the end itself.
        """
        transport.pause_reading()
        self._transports[_descriptor(transport)] = transport
        self._prompt_selector.add(_descriptor(transport), take)

    def read_usually(self, transport: asyncio.ReadTransport) -> None:
        """Returns the socket to its transport."""
        self._prompt_selector.drop(_descriptor(transport))
        self._transports.pop(_descriptor(transport), None)
        if not transport.is_closing():
            transport.resume_reading()

    def _end(self, descriptor: int, fault: Exception) -> None:
        """Closes a failed connection and reports the error, as the loop does for its own reads."""
        transport = self._transports[descriptor]
        self.call_exception_handler(
            {"message": "error while handling received data", "exception": fault, "transport": transport}
        )
        self.read_usually(transport)
        cast("asyncio.WriteTransport", transport).abort()


def _descriptor(transport: asyncio.BaseTransport) -> int:
    return int(transport.get_extra_info("socket").fileno())
