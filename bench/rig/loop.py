"""The rig's event loop: wakes up in time, and reads its sockets as cheaply as Python can."""

import asyncio
import os
import select
import selectors
import time
from collections.abc import Callable
from contextvars import Context
from typing import Final, TypeVarTuple, cast

_Ts = TypeVarTuple("_Ts")
_MOST_AT_ONCE: Final = 16 * 1024  # bytes; what is longer is read in pieces


class PromptSelector(selectors.EpollSelector):
    """Waits to the microsecond: epoll does so in whole milliseconds, select(2) on its descriptor does better.

    And reads at once for those who asked for that, without the event loop's detour by a queue of callbacks. `broken` is
    told who has failed to take what came, and how: that is the connection's own affair, and none of the others'.
    """

    def __init__(self, broken: Callable[[int, Exception], None]) -> None:
        super().__init__()
        self.called = False  # whether something is to be called since: then the loop must have its turn
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
        """Returns when the loop has something to do; reads what arrives meanwhile as often as it does."""
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
        """Reads promptly what is there; whether there is something for the loop itself as well.

        All sockets before the first message is looked at: in turns, both take the processor half as long again.
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
            if take := self._takers.get(descriptor):  # unless one before it has just ended it
                try:
                    take(data)
                except Exception as fault:  # noqa: BLE001 - whatever it is, the other connections go on
                    self._broken(descriptor, fault)
        return others

    def close(self) -> None:
        self._prompt.close()
        super().close()


class RigLoop(asyncio.SelectorEventLoop):
    """Unlike uvloop's, its transports write at once, which is when a stamp says it was sent."""

    def __init__(self) -> None:
        self._prompt_selector = PromptSelector(self._end)
        self._transports: dict[int, asyncio.ReadTransport] = {}  # of those that are read promptly
        super().__init__(self._prompt_selector)

    # What is to be called soon or at some time, `select` must know of while it goes on reading.

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
        """Reads the transport's socket in its stead and has `take` called with what there was: nothing at its end.

        The transport must find that end itself then, by being read usually.
        """
        transport.pause_reading()
        self._transports[_descriptor(transport)] = transport
        self._prompt_selector.add(_descriptor(transport), take)

    def read_usually(self, transport: asyncio.ReadTransport) -> None:
        """Leaves the socket to its transport again."""
        self._prompt_selector.drop(_descriptor(transport))
        self._transports.pop(_descriptor(transport), None)
        if not transport.is_closing():
            transport.resume_reading()

    def _end(self, descriptor: int, fault: Exception) -> None:
        """Ends a connection that has failed, as the loop does where it reads itself, and says why."""
        transport = self._transports[descriptor]
        self.call_exception_handler(
            {"message": "what arrived was not taken", "exception": fault, "transport": transport}
        )
        self.read_usually(transport)
        cast("asyncio.WriteTransport", transport).abort()


def _descriptor(transport: asyncio.BaseTransport) -> int:
    return int(transport.get_extra_info("socket").fileno())
