"""Plays scenarios: callers phone, are struck in the midst of their conversations, and live through the rest."""

import asyncio
from collections.abc import Iterator, Sequence

from local.chaos.outcome import Outcome, outcome
from local.chaos.scenarios import ALONE, TOGETHER, Scenario
from local.chaos.world import World

CALLS_AT_ONCE = 20


def rounds(calls: int) -> Iterator[Sequence[Scenario]]:
    """All scenarios, those together that cannot disturb each other, with so many calls each."""
    at_once = max(1, CALLS_AT_ONCE // calls)
    for start in range(0, len(TOGETHER), at_once):
        yield TOGETHER[start : start + at_once]
    for scenario in ALONE:
        yield (scenario,)


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
