"""This worker's load: whether it can take one more call without harm to the audio of any call."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Final

from aws_lambda_powertools.metrics import MetricUnit

from shared.logs import metric
from worker.service.log_writer import never_dropped

_POLL_INTERVAL_S: Final = 0.25
_REPORT_EVERY_S: Final = 15.0
# Twilio signs every handshake; unsigned ones may come from developers. At most this many may wait for their token.
_UNSIGNED_AT_ONCE: Final = 20


class Standing(Enum):
    """The state of a stream's admission. Only admitted streams are calls and count for scaling the service."""

    UNSIGNED = "unsigned"  # its handshake has no signature, and its token is not verified yet
    ARRIVING = "arriving"  # its handshake is signed or its token is valid: most likely a call
    ADMITTED = "admitted"


class Place:
    """The state in which one stream is counted, from its handshake to its end."""

    def __init__(self, counts: Counter[Standing], standing: Standing) -> None:
        self._counts = counts
        self._standing: Standing | None = None
        self.move(standing)

    @property
    def standing(self) -> Standing | None:
        return self._standing

    def move(self, standing: Standing | None) -> None:
        """Counts the stream in this state from now on; None stops counting it."""
        if self._standing:
            self._counts[self._standing] -= 1
        if standing:
            self._counts[standing] += 1
        self._standing = standing


class Load:
    """Counts the open streams and measures how late the event loop is; `max_lag_s` is in seconds."""

    def __init__(self, max_calls: int, max_lag_s: float) -> None:
        self.lag_s = 0.0
        self._counts: Counter[Standing] = Counter()
        self._unsigned = 0  # handshakes since the last report
        self._unsigned_refused = 0
        self._max_calls = max_calls
        self._max_lag_s = max_lag_s
        self._worst_s = 0.0

    @property
    def calls(self) -> int:
        """The streams that have been admitted."""
        return self._counts[Standing.ADMITTED]

    @property
    def full(self) -> bool:
        """Whether the worker must refuse new streams: too many calls, or too much lag."""
        expected = self.calls + self._counts[Standing.ARRIVING]
        return expected >= self._max_calls or self.lag_s > self._max_lag_s

    def admits_unsigned(self) -> bool:
        """Whether one more unsigned handshake may wait for its token. Counts every such handshake."""
        self._unsigned += 1
        admits = self._counts[Standing.UNSIGNED] < _UNSIGNED_AT_ONCE
        self._unsigned_refused += not admits
        return admits

    def place(self, *, signed: bool) -> Place:
        """Starts counting a stream whose handshake is done."""
        return Place(self._counts, Standing.ARRIVING if signed else Standing.UNSIGNED)

    async def watch(self) -> None:
        """Measures the loop's lag, smoothed over about a second, and reports; runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        reported = -_REPORT_EVERY_S
        while True:
            due = loop.time() + _POLL_INTERVAL_S
            if due - reported >= _REPORT_EVERY_S:
                reported = due
                self._report()
            await asyncio.sleep(_POLL_INTERVAL_S)
            late = max(0.0, loop.time() - due)
            self.lag_s += (late - self.lag_s) / 4
            self._worst_s = max(self._worst_s, late)

    def _report(self) -> None:
        metric("worker", "LoopLagMs", self._worst_s * 1000, MetricUnit.Milliseconds)
        self._worst_s = 0.0
        # A total and not one line each, so that a stranger cannot fill the log.
        if self._unsigned:
            metric("worker", "UnsignedHandshakes", self._unsigned)
            metric("worker", "UnsignedHandshakesRefused", self._unsigned_refused)
            self._unsigned = self._unsigned_refused = 0


# Takes a function that gives the number of calls, and acts on that number until it is cancelled.
CallsWatch = Callable[[Callable[[], int]], Coroutine[Any, Any, None]]


async def report_active_calls(calls: Callable[[], int]) -> None:
    """Writes the `ActiveCalls` metric every 15 s until it is cancelled."""
    while True:
        with never_dropped():  # the service is scaled by this metric
            metric("worker", "ActiveCalls", calls())
        await asyncio.sleep(_REPORT_EVERY_S)
