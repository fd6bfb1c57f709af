"""How many calls a core carries: more and more of them, until a frame in a hundred comes too late."""

import asyncio
from dataclasses import dataclass
from typing import Final

from bench import calls
from bench.calls import RunFailedError
from bench.gauges import Spread
from bench.phone import Phone
from bench.rig import Rig

ADDED_MS: Final = 20  # a frame's own length: whoever adds more has fallen behind
_RIG_LATE_MS: Final = 5
_FIRST: Final = 25
_CALLS_A_SECOND: Final = 50
_SETTLED_S: Final = 2.5
_TRIES: Final = 3
_CLOSE_ENOUGH: Final = 1.08


@dataclass(frozen=True)
class Step:
    """What a number of calls came to; without percentiles where they did not come up at all."""

    calls: int
    p99_to_model: float | None
    p99_to_phone: float | None
    rig_late_p99: float | None

    @property
    def holds(self) -> bool:
        worst = (self.p99_to_model, self.p99_to_phone)
        return not self.rig_is_late and all(p99 is not None and p99 < ADDED_MS for p99 in worst)

    @property
    def rig_is_late(self) -> bool:
        return self.rig_late_p99 is not None and self.rig_late_p99 > _RIG_LATE_MS


@dataclass(frozen=True)
class Limit:
    """The most calls that a bridge was seen to carry, and all that was tried on the way."""

    bridge: str
    tls: bool
    calls: int
    steps: list[Step]

    @property
    def is_open(self) -> bool:
        """Whether no more were tried though these were no trouble."""
        return all(step.holds for step in self.steps)

    @property
    def is_the_rigs(self) -> bool:
        """Whether it was the rig that could not do more: it was late with the fewest calls that did not hold."""
        failed = [step for step in self.steps if not step.holds]
        return bool(failed) and min(failed, key=lambda step: step.calls).rig_is_late


def next_try(steps: list[Step], most: int) -> int | None:
    """Twice as many while all is well, then the middle of what held and what did not; None when that is known."""
    held = max((step.calls for step in steps if step.holds), default=0)
    failed = min((step.calls for step in steps if not step.holds), default=None)
    if failed is None:
        return None if held >= most else min(most, held * 2 or _FIRST)
    if failed <= max(held, 1) * _CLOSE_ENOUGH or failed - held <= 1:
        return None
    return (held + failed) // 2


async def find(name: str, most: int, seconds: float, rig: Rig) -> Limit:
    """Brings calls up and ends them, always of the same bridge, until the limit is known."""
    await rig.first_calls()
    up: list[Phone] = []
    steps: list[Step] = []
    while (wanted := next_try(steps, most)) is not None:
        try:
            await _bring_to(wanted, up, rig)
        except RunFailedError:
            steps.append(Step(wanted, None, None, None))
            break  # a bridge in that state would only spoil the steps that follow
        steps.append(await _step(wanted, rig, seconds))
    return Limit(name, rig.conditions.tls, max((step.calls for step in steps if step.holds), default=0), steps)


async def _step(wanted: int, rig: Rig, seconds: float) -> Step:
    """The first of a few tries that holds, else the last: whoever else uses the machine spoils one now and then."""
    gauges = rig.gauges
    for _ in range(_TRIES):
        gauges.forget()
        await rig.record(seconds)
        spreads = (Spread.of(samples).p99 for samples in (gauges.to_model, gauges.to_phone, gauges.late))
        step = Step(wanted, *spreads)
        if step.holds:
            break
    return step


async def _bring_to(wanted: int, up: list[Phone], rig: Rig) -> None:
    if wanted < len(up):
        leaving = up[wanted:]
        del up[wanted:]
        await calls.end(leaving, _CALLS_A_SECOND * 2)
    else:
        new = rig.phones(wanted - len(up))
        up += new
        await calls.bring_up(new, rig.port, _CALLS_A_SECOND)
    await asyncio.sleep(_SETTLED_S)
