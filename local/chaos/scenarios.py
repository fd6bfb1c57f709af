"""What is broken: each scenario causes one fault while its callers are in conversation. The model's own failures are
tested without a whole stack, in tests/worker and tests/whole_path/test_model_failures.py."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from local.chaos.caller import ChaosCaller
from local.chaos.system import ChaosSystem

Strike = Callable[[ChaosSystem, Sequence[ChaosCaller]], Awaitable[None]]

_AWAY_S: Final = 6.0  # long enough for every caller to ask for a person in that time


@dataclass(frozen=True)
class Scenario:
    """`strike` returns when the fault is over."""

    name: str
    strike: Strike


async def _reset(system: ChaosSystem, callers: Sequence[ChaosCaller]) -> None:
    for caller in callers:
        caller.strike()
        for session in system.sessions(caller)[-1:]:
            await session.reset()


async def _kill(system: ChaosSystem, callers: Sequence[ChaosCaller]) -> None:
    workers = system.simulation.stack.workers
    for caller in callers:
        caller.strike()
    await workers.kill(workers.names[0])


async def _replace(system: ChaosSystem, callers: Sequence[ChaosCaller]) -> None:
    workers = system.simulation.stack.workers
    for caller in callers:
        caller.strike()
    for name in workers.names:
        await workers.replace(name, by=next(system.names))


async def _cut(system: ChaosSystem, callers: Sequence[ChaosCaller]) -> None:
    system.line.cut()
    for caller in callers:
        caller.strike()
    await asyncio.sleep(_AWAY_S)
    system.line.mend()


SCENARIOS: Final = (
    Scenario("model sockets reset", _reset),
    Scenario("SIGKILL, one worker of two", _kill),
    Scenario("both workers replaced", _replace),
    Scenario("queue and table unreachable", _cut),
)
