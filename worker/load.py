"""How busy this worker is: whether one more call would be heard as well as the ones that are there."""

import asyncio
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit

from shared.logs import metric

_LOOK_EVERY_S: Final = 0.25
_REPORT_EVERY_S: Final = 15.0


class Load:
    """Calls at once, and how late the event loop is; `max_lag_s` is in seconds."""

    def __init__(self, max_calls: int, max_lag_s: float) -> None:
        self.calls = 0
        self.lag_s = 0.0
        self._max_calls = max_calls
        self._max_lag_s = max_lag_s
        self._worst_s = 0.0

    @property
    def full(self) -> bool:
        return self.calls >= self._max_calls or self.lag_s > self._max_lag_s

    async def watch(self) -> None:
        """Measures the loop's lag, smoothed over about a second, and reports it; runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        reported = -_REPORT_EVERY_S
        while True:
            due = loop.time() + _LOOK_EVERY_S
            if due - reported >= _REPORT_EVERY_S:
                reported = due
                metric("worker", "LoopLagMs", self._worst_s * 1000, MetricUnit.Milliseconds)
                self._worst_s = 0.0
            await asyncio.sleep(_LOOK_EVERY_S)
            late = max(0.0, loop.time() - due)
            self.lag_s += (late - self.lag_s) / 4
            self._worst_s = max(self._worst_s, late)
