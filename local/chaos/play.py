"""Plays scenarios: callers phone, are struck in the midst of their conversations, and live through the rest."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from local.chaos.outcome import Outcome, outcome
from local.chaos.scenarios import ALONE, TOGETHER, Scenario
from local.chaos.world import World

# Callers, the model and Twilio share one processor here. With twice as many, callers hear late what is on time.
CALLS_AT_ONCE: Final = 21


def rounds(calls: int) -> Iterator[tuple[Sequence[Scenario], int]]:
    """All scenarios with so many calls each, in rounds: scenarios that do not disturb each other, and calls of each."""
    at_once = max(1, CALLS_AT_ONCE // calls)
    together = [TOGETHER[start : start + at_once] for start in range(0, len(TOGETHER), at_once)]
    for scenarios in (*together, *((alone,) for alone in ALONE)):
        for batch in _batches(calls):
            yield scenarios, batch


def _batches(calls: int) -> list[int]:
    """So many calls in as few parts as need be, as equal as can be."""
    parts = -(-calls // CALLS_AT_ONCE)
    return [(calls + part) // parts for part in range(parts)]


async def play_together(world: World, scenarios: Sequence[Scenario], calls: int) -> list[Outcome]:
    """Plays scenarios at the same time."""
    await world.two_workers()
    return await asyncio.gather(*(play(world, scenario, calls) for scenario in scenarios))


async def play(world: World, scenario: Scenario, calls: int) -> Outcome:
    """Plays one scenario with so many calls, and says what it did to them."""
    guests = world.guests(calls)
    async with asyncio.TaskGroup() as tasks:
        for guest in guests:
            tasks.create_task(world.phone(guest))
        await asyncio.gather(*(guest.ready.wait() for guest in guests))
        await scenario.strike(world, guests)
        for guest in guests:
            guest.over.set()
    told = [guest for guest in guests if guest.asked or scenario.fatal]
    await world.alerted(told)
    if scenario.again:
        await world.deliver_again(told)
    return outcome(scenario, world, guests)
