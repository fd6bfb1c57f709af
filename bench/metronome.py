"""When each phone sends its frames: fifty times a second, on a schedule that is kept whatever happens."""

import asyncio
import random
import select
import selectors
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from bench.gauges import Gauges
from bench.phone import FRAME_MS, Phone

_PERIOD_S: Final = FRAME_MS / 1000
_PLACES: Final = 80  # in a period: as many as the rig can afford to wake up for


class PreciseSelector(selectors.EpollSelector):
    """Wakes up in time: epoll waits in whole milliseconds, select(2) on epoll's own descriptor in microseconds."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            select.select([self.fileno()], [], [], timeout)
        return super().select(0)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for the rig. Unlike uvloop's, its transports write at once, which is when a stamp says it was sent."""
    return asyncio.SelectorEventLoop(PreciseSelector())


class Metronome:
    """Each phone's place in the 20 ms is one that chance gave, since calls are independent; the same in every run.

    A frame that could not be sent in time is sent late, never left out, and its lateness is noted.
    """

    def __init__(self, phones: Sequence[Phone], gauges: Gauges) -> None:
        chance = random.Random(len(phones))  # noqa: S311 - a schedule is no secret
        places = ((chance.randrange(_PLACES) * _PERIOD_S / _PLACES, phone) for phone in phones)
        self._places = sorted(places, key=itemgetter(0))
        self._gauges = gauges
        self._loop = asyncio.get_running_loop()
        self._next = 0
        self._round_began = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Beats for those phones that are talking."""
        self._round_began = self._loop.time()
        self._beat()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        while (late := self._loop.time() - self._due()) >= 0:
            phone = self._places[self._next][1]
            if phone.talking:
                if self._gauges.recording:
                    self._gauges.late.append(int(late * 1e9))
                phone.talk()
            self._next += 1
            if self._next == len(self._places):
                self._next = 0
                self._round_began += _PERIOD_S
        self._timer = self._loop.call_at(self._due(), self._beat)

    def _due(self) -> float:
        return self._round_began + self._places[self._next][0]
