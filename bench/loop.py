"""The rig's event loop: wakes up in time, and reads its sockets as cheaply as Python can."""

import asyncio
import select
import selectors
from collections.abc import Callable


class PromptSelector(selectors.EpollSelector):
    """Waits to the microsecond: epoll does so in whole milliseconds, select(2) on its descriptor does better.

    And calls those at once who asked for that, without the event loop's detour by a queue of callbacks.
    """

    def __init__(self) -> None:
        super().__init__()
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
                    read()
        return super().select(0) if own in ready else []

    def close(self) -> None:
        self._prompt.close()
        super().close()


class RigLoop(asyncio.SelectorEventLoop):
    """Unlike uvloop's, its transports write at once, which is when a stamp says it was sent."""

    def __init__(self) -> None:
        self._prompt_selector = PromptSelector()
        super().__init__(self._prompt_selector)

    def read_promptly(self, transport: asyncio.ReadTransport, read: Callable[[], None]) -> None:
        """Calls `read` instead of the transport whenever there is something to read on its socket."""
        transport.pause_reading()
        self._prompt_selector.add(_descriptor(transport), read)

    def read_usually(self, transport: asyncio.ReadTransport) -> None:
        """Leaves the socket to its transport again."""
        self._prompt_selector.drop(_descriptor(transport))
        if not transport.is_closing():
            transport.resume_reading()


def _descriptor(transport: asyncio.BaseTransport) -> int:
    return int(transport.get_extra_info("socket").fileno())
