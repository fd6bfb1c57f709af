"""Plays a scenario: callers phone, are struck in the midst of their conversations, and live through the rest."""

import asyncio
from typing import Final

from local.chaos.outcome import Outcome, outcome
from local.chaos.scenarios import Scenario
from local.chaos.system import ChaosSystem

# Callers, the model and Twilio share one processor here. With twice as many, callers hear late what is on time.
CALLS_AT_ONCE: Final = 21


def batches(calls: int) -> list[int]:
    """So many calls in as few parts as need be, as equal as can be."""
    parts = -(-calls // CALLS_AT_ONCE)
    return [(calls + part) // parts for part in range(parts)]


async def play(system: ChaosSystem, scenario: Scenario, calls: int) -> Outcome:
    """Plays one scenario with so many calls, and says what it did to them."""
    await system.two_workers()
    guests = system.guests(calls)
    async with asyncio.TaskGroup() as tasks:
        for guest in guests:
            tasks.create_task(system.phone(guest))
        await asyncio.gather(*(guest.ready.wait() for guest in guests))
        await scenario.strike(system, guests)
        for guest in guests:
            guest.over.set()
    await system.alerted([guest for guest in guests if guest.asked])
    return outcome(scenario, system, guests)
