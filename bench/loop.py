"""The rig's event loop: wakes up in time, and reads its sockets as cheaply as Python can."""

import asyncio
import select
import selectors
from collections.abc import Callable
from typing import cast


class PromptSelector(selectors.EpollSelector):
    """Waits to the microsecond: epoll does so in whole milliseconds, select(2) on its descriptor does better.

    And calls those at once who asked for that, without the event loop's detour by a queue of callbacks. `broken` is
    told whose read has failed, and with what: that is the connection's own affair, and none of the others'.
    """

    def __init__(self, broken: Callable[[int, Exception], None]) -> None:
        super().__init__()
        self._broken = broken
        self._prompt = select.epoll()
        self._reads: dict[int, Callable[[], None]] = {}

    def add(self, descriptor: int, read: Callable[[], None]) -> None:
        self._reads[descriptor] = read
        self._prompt.register(descriptor, select.EPOLLIN)

    def drop(self, descriptor: int) -> None:
        if self._reads.pop(descriptor, None):
            self._prompt.unregister(descriptor)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        own, prompt = self.fileno(), self._prompt.fileno()
        ready, _, _ = select.select([own, prompt], [], [], None if timeout is None else max(timeout, 0))
        if prompt in ready:
            for descriptor, _event in self._prompt.poll(0):
                if read := self._reads.get(descriptor):  # unless one before it has just ended it
                    try:
                        read()
                    except Exception as fault:  # noqa: BLE001 - whatever it is, the other connections go on
                        self._broken(descriptor, fault)
        return super().select(0) if own in ready else []

    def close(self) -> None:
        self._prompt.close()
        super().close()


class RigLoop(asyncio.SelectorEventLoop):
    """Unlike uvloop's, its transports write at once, which is when a stamp says it was sent."""

    def __init__(self) -> None:
        self._prompt_selector = PromptSelector(self._end)
        self._transports: dict[int, asyncio.ReadTransport] = {}  # of those that are read promptly
        super().__init__(self._prompt_selector)

    def read_promptly(self, transport: asyncio.ReadTransport, read: Callable[[], None]) -> None:
        """Calls `read` instead of the transport whenever there is something to read on its socket."""
        transport.pause_reading()
        self._transports[_descriptor(transport)] = transport
        self._prompt_selector.add(_descriptor(transport), read)

    def read_usually(self, transport: asyncio.ReadTransport) -> None:
        """Leaves the socket to its transport again."""
        self._prompt_selector.drop(_descriptor(transport))
        self._transports.pop(_descriptor(transport), None)
        if not transport.is_closing():
            transport.resume_reading()

    def _end(self, descriptor: int, fault: Exception) -> None:
        """Ends the connection whose read has failed, as the loop does where it reads itself, and says why."""
        transport = self._transports[descriptor]
        self.call_exception_handler({"message": "a read failed", "exception": fault, "transport": transport})
        self.read_usually(transport)
        cast("asyncio.WriteTransport", transport).abort()


def _descriptor(transport: asyncio.BaseTransport) -> int:
    return int(transport.get_extra_info("socket").fileno())
