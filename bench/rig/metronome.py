"""The schedule on which each phone sends its frames, fifty times a second."""

import asyncio
import random
from typing import Final

from bench.rig.gauges import Gauges
from bench.rig.phone import Phone
from bench.rig.stamp import FRAME_MS

_PLACES: Final = 80  # wake-ups in a period, as many as the rig can afford
_STEP_S: Final = FRAME_MS / 1000 / _PLACES


class Metronome:
    """Gives each phone a random place in the 20 ms, since calls are independent; the same places in every run.

    A frame that could not be sent in time is sent late, never skipped, and its lateness is recorded.
    """

    def __init__(self, gauges: Gauges) -> None:
        self._chance = random.Random(FRAME_MS)  # noqa: S311 - a schedule is no secret
        self._places: list[list[Phone]] = [[] for _ in range(_PLACES)]
        self._gauges = gauges
        self._loop = asyncio.get_running_loop()
        self._steps = 0
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, phone: Phone) -> None:
        """Adds a phone, which sends while it is talking."""
        self._chance.choice(self._places).append(phone)

    def start(self) -> None:
        self._began = self._loop.time()
        self._beat()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        while (late := self._loop.time() - self._due()) >= 0:
            talking = [phone for phone in self._places[self._steps % _PLACES] if phone.talking]
            for phone in talking:
                phone.talk()
            if self._gauges.recording:
                self._gauges.late.extend([int(late * 1e9)] * len(talking))
            self._steps += 1
        self._timer = self._loop.call_at(self._due(), self._beat)

    def _due(self) -> float:
        return self._began + self._steps * _STEP_S
