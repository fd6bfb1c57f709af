"""Searches for the number of calls that one core carries: the most with a p99 latency below the limit."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bench.rig import calls
from bench.rig.arrivals import Arrivals, stands
from bench.rig.calls import RunFailedError
from bench.rig.gauges import Spread
from bench.rig.phone import Phone
from bench.rig.rig import Rig

ADDED_MS: Final = 20  # a frame's length: a bridge that adds more falls behind
_RIG_LATE_MS: Final = 5
_RIG_FULL_PERCENT: Final = 93  # the kernel keeps the rest for other processes, even from real-time ones
_FIRST: Final = 50
_CALLS_A_SECOND: Final = 50
_SETTLED_S: Final = 2.5
_TRIES: Final = 3
_HOPELESS_MS: Final = ADDED_MS * 5  # too much to be a brief disturbance, so there is no further try
_CLOSE_ENOUGH: Final = 1.08


@dataclass(frozen=True)
class Step:
    """The result for a number of calls; without percentiles if the calls could not be started."""

    calls: int
    p99_to_model: float | None = None
    p99_to_phone: float | None = None
    rig_late_p99: float | None = None
    rig_core_percent: float = 0
    pieces_lost: int = 0  # of audio, in both directions
    calls_lost: int = 0

    @property
    def holds(self) -> bool:
        in_time = (p99 is not None and p99 < ADDED_MS for p99 in (self.p99_to_model, self.p99_to_phone))
        return all(in_time) and not (self.rig_is_late or self.pieces_lost or self.calls_lost)

    @property
    def is_hopeless(self) -> bool:
        """Whether another try is useless."""
        return any(p99 is None or p99 > _HOPELESS_MS for p99 in (self.p99_to_model, self.p99_to_phone))

    @property
    def rig_is_late(self) -> bool:
        return self.rig_late_p99 is not None and self.rig_late_p99 > _RIG_LATE_MS

    @property
    def rig_is_full(self) -> bool:
        return self.rig_core_percent > _RIG_FULL_PERCENT


class StoppedBy(StrEnum):
    """Why a search ended before it reached the bridge's limit."""

    RIG_LATE = "the rig was late"
    RIG_FULL = "the rig's core was full"
    MOST = "no more were tried"
    BRIDGE = "the bridge did not recover"


@dataclass(frozen=True)
class Limit:
    """The most calls that a bridge carried, and all steps of the search.

    With `stopped_by` set, the bridge may carry more, but the search could not find out.
    """

    bridge: str
    tls: bool
    calls: int
    steps: list[Step]
    stopped_by: StoppedBy | None = None

    def __str__(self) -> str:
        return f"{self.calls}+ ({self.stopped_by})" if self.stopped_by else str(self.calls)

    @property
    def faults(self) -> list[str]:
        """The faults found, as text."""
        return [str(self.stopped_by)] if self.stopped_by is StoppedBy.BRIDGE else []


def next_try(steps: list[Step], most: int) -> int | None:
    """The next number of calls: doubled until a step fails, then by bisection; None when the limit is known."""
    held = max((step.calls for step in steps if step.holds), default=0)
    failed = min((step.calls for step in steps if not step.holds), default=None)
    if failed is None:
        return None if held >= most else min(most, held * 2 or _FIRST)
    if failed <= max(held, 1) * _CLOSE_ENOUGH or failed - held <= 1:
        return None
    return (held + failed) // 2


def whose_limit(steps: list[Step]) -> StoppedBy | None:
    """What stopped the search; None if the bridge did: the rig was fine at the fewest calls that failed."""
    failed = min((step for step in steps if not step.holds), key=lambda step: step.calls, default=None)
    if failed is None:
        return StoppedBy.MOST
    if failed.rig_is_late:
        return StoppedBy.RIG_LATE
    return StoppedBy.RIG_FULL if failed.rig_is_full else None


async def find(name: str, most: int, seconds: float, rig: Rig) -> Limit:
    """Starts and ends calls through one bridge until its limit is known."""
    await rig.first_calls()
    up: list[Phone] = []
    steps: list[Step] = []
    broken = None
    try:
        while (wanted := next_try(steps, most)) is not None:
            await _reduce_to(wanted, up, rig)
            steps.append(await _raise_to(wanted, up, rig) or await _step(up, rig, seconds))
            if not up:
                await rig.first_calls()  # fails if the bridge has not recovered
    except RunFailedError:
        broken = StoppedBy.BRIDGE  # in that state, further steps would be wrong
    held = max((step.calls for step in steps if step.holds), default=0)
    return Limit(name, rig.conditions.tls, held, steps, broken or whose_limit(steps))


async def _step(up: list[Phone], rig: Rig, seconds: float) -> Step:
    """The first of a few tries that holds, else the last: other users of the machine may disturb a try."""
    gauges = rig.gauges
    await asyncio.sleep(_SETTLED_S)
    for _ in range(_TRIES):
        gauges.forget()
        arrivals = Arrivals(up, rig.sessions)
        used = await rig.record(seconds)
        to_model, to_phone, late = (Spread.of(each).p99 for each in (gauges.to_model, gauges.to_phone, gauges.late))
        lost = arrivals.pieces_lost, arrivals.calls_lost
        step = Step(len(up), to_model, to_phone, late, used.rig_percent, *lost)
        if step.holds or step.is_hopeless:
            break
    return step


async def _reduce_to(wanted: int, up: list[Phone], rig: Rig) -> None:
    """Ends surplus calls, and calls that an earlier step has broken; raises `RunFailedError` if that fails."""
    for phone in up:
        if not stands(phone, rig.sessions):
            phone.abort()
    up[:] = [phone for phone in up if stands(phone, rig.sessions)]
    leaving = up[wanted:]
    del up[wanted:]
    await calls.end(leaving, _CALLS_A_SECOND * 2)


async def _raise_to(wanted: int, up: list[Phone], rig: Rig) -> Step | None:
    """Starts calls until `wanted` are up. If they do not come up, ends all and returns this as the step's result."""
    new = rig.phones(wanted - len(up))
    up += new
    before = rig.usage()
    try:
        await calls.bring_up(new, rig.port, _CALLS_A_SECOND)
    except RunFailedError:
        step = Step(wanted, rig_core_percent=rig.usage().since(before).rig_percent)
        for phone in up:
            phone.abort()
        up.clear()
        await asyncio.sleep(_SETTLED_S)
        return step
    return None
