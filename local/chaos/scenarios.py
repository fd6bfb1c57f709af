"""What is broken: each scenario strikes once, while its callers are in the midst of their conversations. How the model
itself can fail is proved without a whole stack, in tests/worker and tests/whole_path/test_model_failures.py."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from local.chaos.caller import Guest
from local.chaos.world import World

Strike = Callable[[World, Sequence[Guest]], Awaitable[None]]

_AWAY_S: Final = 6.0  # long enough for every caller to ask for a person meanwhile


@dataclass(frozen=True)
class Scenario:
    """`strike` returns when the fault is over."""

    name: str
    strike: Strike


async def _reset(world: World, guests: Sequence[Guest]) -> None:
    for guest in guests:
        guest.strike()
        for session in world.sessions(guest)[-1:]:
            await session.reset()


async def _kill(world: World, guests: Sequence[Guest]) -> None:
    workers = world.simulation.stack.workers
    for guest in guests:
        guest.strike()
    await workers.kill(workers.names[0])


async def _replace(world: World, guests: Sequence[Guest]) -> None:
    workers = world.simulation.stack.workers
    for guest in guests:
        guest.strike()
    for name in workers.names:
        await workers.replace(name, by=next(world.names))


async def _cut(world: World, guests: Sequence[Guest]) -> None:
    world.line.cut()
    for guest in guests:
        guest.strike()
    await asyncio.sleep(_AWAY_S)
    world.line.mend()


SCENARIOS: Final = (
    Scenario("model sockets reset", _reset),
    Scenario("SIGKILL, one worker of two", _kill),
    Scenario("both workers replaced", _replace),
    Scenario("queue and table away", _cut),
)
