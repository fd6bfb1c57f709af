"""Plays a scenario: callers phone, the fault hits in the middle of their conversations, and the calls go on."""

import asyncio
from typing import Final

from local.chaos.outcome import Outcome, outcome
from local.chaos.scenarios import Scenario
from local.chaos.system import ChaosSystem

# Callers, the model and Twilio share one processor here. With twice as many calls the simulation itself runs late.
CALLS_AT_ONCE: Final = 21


def batches(calls: int) -> list[int]:
    """Splits `calls` into the fewest batches, as equal as possible."""
    parts = -(-calls // CALLS_AT_ONCE)
    return [(calls + part) // parts for part in range(parts)]


async def play(system: ChaosSystem, scenario: Scenario, calls: int) -> Outcome:
    """Plays one scenario with `calls` calls, and returns its effect on them."""
    await system.two_workers()
    callers = system.callers(calls)
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(system.phone(caller))
        await asyncio.gather(*(caller.ready.wait() for caller in callers))
        await scenario.strike(system, callers)
        for caller in callers:
            caller.over.set()
    await system.alerted([caller for caller in callers if caller.asked])
    return outcome(scenario, system, callers)
