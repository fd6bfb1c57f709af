"""How many calls a core carries: more and more of them, until a frame in a hundred comes too late."""

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

ADDED_MS: Final = 20  # a frame's own length: whoever adds more has fallen behind
_RIG_LATE_MS: Final = 5
_RIG_FULL_PERCENT: Final = 93  # more is not to be had by real time where others wait
_FIRST: Final = 50
_CALLS_A_SECOND: Final = 50
_SETTLED_S: Final = 2.5
_TRIES: Final = 3
_HOPELESS_MS: Final = ADDED_MS * 5  # no passing disturbance, so one try is enough
_CLOSE_ENOUGH: Final = 1.08


@dataclass(frozen=True)
class Step:
    """What a number of calls came to; without percentiles where they did not come up at all."""

    calls: int
    p99_to_model: float | None = None
    p99_to_phone: float | None = None
    rig_late_p99: float | None = None
    rig_core_percent: float = 0
    pieces_lost: int = 0  # of audio, either way
    calls_lost: int = 0

    @property
    def holds(self) -> bool:
        in_time = (p99 is not None and p99 < ADDED_MS for p99 in (self.p99_to_model, self.p99_to_phone))
        return all(in_time) and not (self.rig_is_late or self.pieces_lost or self.calls_lost)

    @property
    def is_hopeless(self) -> bool:
        """Whether another try would be a waste of time."""
        return any(p99 is None or p99 > _HOPELESS_MS for p99 in (self.p99_to_model, self.p99_to_phone))

    @property
    def rig_is_late(self) -> bool:
        return self.rig_late_p99 is not None and self.rig_late_p99 > _RIG_LATE_MS

    @property
    def rig_is_full(self) -> bool:
        return self.rig_core_percent > _RIG_FULL_PERCENT


class StoppedBy(StrEnum):
    """Why a search ended before more calls than the bridge carries had been seen."""

    RIG_LATE = "the rig was late"
    RIG_FULL = "the rig's core was full"
    MOST = "more were not tried"
    BRIDGE = "the bridge did not recover"


@dataclass(frozen=True)
class Limit:
    """The most calls that a bridge was seen to carry, and all that was tried on the way.

    With `stopped_by` it may carry more: the search could not tell.
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
        """What should not be, in words."""
        return [str(self.stopped_by)] if self.stopped_by is StoppedBy.BRIDGE else []


def next_try(steps: list[Step], most: int) -> int | None:
    """Twice as many while all is well, then the middle of what held and what did not; None when that is known."""
    held = max((step.calls for step in steps if step.holds), default=0)
    failed = min((step.calls for step in steps if not step.holds), default=None)
    if failed is None:
        return None if held >= most else min(most, held * 2 or _FIRST)
    if failed <= max(held, 1) * _CLOSE_ENOUGH or failed - held <= 1:
        return None
    return (held + failed) // 2


def whose_limit(steps: list[Step]) -> StoppedBy | None:
    """None if it is the bridge's: at the fewest calls that did not hold, there was nothing wrong with the rig."""
    failed = min((step for step in steps if not step.holds), key=lambda step: step.calls, default=None)
    if failed is None:
        return StoppedBy.MOST
    if failed.rig_is_late:
        return StoppedBy.RIG_LATE
    return StoppedBy.RIG_FULL if failed.rig_is_full else None


async def find(name: str, most: int, seconds: float, rig: Rig) -> Limit:
    """Brings calls up and ends them, always of the same bridge, until the limit is known."""
    await rig.first_calls()
    up: list[Phone] = []
    steps: list[Step] = []
    broken = None
    try:
        while (wanted := next_try(steps, most)) is not None:
            await _leave(wanted, up, rig)
            steps.append(await _bring_to(wanted, up, rig) or await _step(up, rig, seconds))
            if not up:
                await rig.first_calls()  # or it has not recovered
    except RunFailedError:
        broken = StoppedBy.BRIDGE  # in that state it would only spoil the steps that follow
    held = max((step.calls for step in steps if step.holds), default=0)
    return Limit(name, rig.conditions.tls, held, steps, broken or whose_limit(steps))


async def _step(up: list[Phone], rig: Rig, seconds: float) -> Step:
    """The first of a few tries that holds, else the last: whoever else uses the machine spoils one now and then."""
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


async def _leave(wanted: int, up: list[Phone], rig: Rig) -> None:
    """Ends what is too much, and what a step before this one has broken; raises `RunFailedError` if that fails."""
    for phone in up:
        if not stands(phone, rig.sessions):
            phone.abort()
    up[:] = [phone for phone in up if stands(phone, rig.sessions)]
    leaving = up[wanted:]
    del up[wanted:]
    await calls.end(leaving, _CALLS_A_SECOND * 2)


async def _bring_to(wanted: int, up: list[Phone], rig: Rig) -> Step | None:
    """Adds calls to those that are up. Where they do not come up, that is the step, and none is left."""
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
