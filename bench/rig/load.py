"""One run: starts calls through a bridge, measures them while they talk, and checks whether everything arrived."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.report.result import Memory, Result
from bench.rig import calls
from bench.rig.arrivals import Counts, sessions_of
from bench.rig.calls import A_SECOND
from bench.rig.gauges import Gauges
from bench.rig.phone import Phone
from bench.rig.processes import Usage
from bench.rig.rig import SETTLED_S, Rig

_ARRIVED_WITHIN_S: Final = 5
_POLL_INTERVAL_S: Final = 0.1


@dataclass(frozen=True)
class Plan:
    """A run: `calls` at once, measured for `seconds` after a warm-up; then `sockets` opened without calls."""

    calls: int
    seconds: float
    warm_up_s: float
    sockets: int
    calls_a_second: float = A_SECOND


async def run(name: str, plan: Plan, rig: Rig) -> Result:
    """Makes the run; raises `RunFailedError` if calls do not start or do not end."""
    await rig.first_calls()
    phones = rig.phones(plan.calls)
    memory, used = await _measure(rig, plan, phones)
    counts = await _fall_silent(rig, phones)
    await calls.end(phones)
    sockets = rig.phones(plan.sockets, Gauges())
    sockets_per_second = await calls.open_sockets(sockets, rig.port) if sockets else 0
    for socket in sockets:
        socket.abort()
    return Result.of(name, rig.conditions, rig.gauges, used, memory, counts, sockets_per_second)


async def _measure(rig: Rig, plan: Plan, phones: Sequence[Phone]) -> tuple[Memory, Usage]:
    half_of_them, idle = plan.calls // 2, rig.resident_bytes()
    await calls.bring_up(phones[:half_of_them], rig.port, plan.calls_a_second)
    await asyncio.sleep(SETTLED_S)
    half = rig.resident_bytes()
    await calls.bring_up(phones[half_of_them:], rig.port, plan.calls_a_second)
    await asyncio.sleep(plan.warm_up_s)
    used = await rig.record(plan.seconds)
    return Memory(idle, half, rig.resident_bytes(), half_of_them, plan.calls), used


async def _fall_silent(rig: Rig, phones: Sequence[Phone]) -> Counts:
    """Stops both sides from talking, gives audio in transit time to arrive, and returns the counts."""
    for phone in phones:
        phone.fall_silent()
    for session in sessions_of(phones, rig.sessions):
        session.fall_silent()
    deadline = asyncio.get_running_loop().time() + _ARRIVED_WITHIN_S
    while True:
        counts = Counts.of(phones, rig.sessions, rig.gauges)
        if counts.all_arrived or asyncio.get_running_loop().time() > deadline:
            return counts
        await asyncio.sleep(_POLL_INTERVAL_S)
