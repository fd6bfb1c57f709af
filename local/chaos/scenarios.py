"""What is broken: each scenario strikes once, while its callers are in the midst of their conversations."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from local.chaos.caller import Guest
from local.chaos.world import World
from local.model import Session
from local.model.faults import FailResponse, FailSession, Fault, NeverAnswer, RefuseHandshake

Strike = Callable[[World, Sequence[Guest]], Awaitable[None]]

_AWAY_S: Final = 6.0  # long enough for every caller to ask for a person meanwhile
_PASSING_CODES: Final = ("server_error", "rate_limit_exceeded", "inference_rate_limit_exceeded")
_FATAL_CODES: Final = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "invalid_api_key",
    "account_deactivated",
    "beta_api_shape_disabled",
)


@dataclass(frozen=True)
class Scenario:
    """`strike` returns when the fault is over. `fatal`: no call can go on, so each must end in an apology and an alert.

    `again`: every message of the queue is delivered twice more.
    """

    name: str
    strike: Strike
    fatal: bool = False
    again: bool = False


async def _sessions(act: Callable[[Session], Awaitable[None]], world: World, guests: Sequence[Guest]) -> None:
    """Something happens to the newest session of each call that has come so far."""
    for guest in guests:
        guest.strike()
        for session in world.sessions(guest)[-1:]:
            await act(session)


async def _responses(fault: Fault, world: World, guests: Sequence[Guest]) -> None:
    """Something happens to the next response of each call."""
    for guest in guests:
        for session in world.sessions(guest)[-1:]:
            session.faults.add(fault)
        guest.strike()


async def _reconnects(fault: Fault, world: World, guests: Sequence[Guest]) -> None:
    """Every session is lost, and the first try to open another one fails, too."""
    for guest in guests:
        world.faults(guest).add(fault)
    await _sessions(Session.reset, world, guests)


async def _kill(world: World, guests: Sequence[Guest]) -> None:
    workers = world.simulation.stack.workers
    for guest in guests:
        guest.strike()
    await workers.kill(workers.names[0])


async def _deploy(world: World, guests: Sequence[Guest]) -> None:
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


async def _nothing(_world: World, guests: Sequence[Guest]) -> None:
    for guest in guests:
        guest.strike()


def _error(code: str) -> Callable[[Session], Awaitable[None]]:
    return lambda session: session.send_error(code, "The simulated service was told to say so.")


_PASSING: Final = (
    Scenario("model socket reset", partial(_sessions, Session.reset)),
    Scenario("model socket closed, 1011", partial(_sessions, lambda session: session.close(1011))),
    Scenario("model session expired", partial(_sessions, Session.expire)),
    *(Scenario(f"error: {code}", partial(_sessions, _error(code))) for code in _PASSING_CODES),
    *(Scenario(f"response failed: {code}", partial(_responses, FailResponse(code))) for code in _PASSING_CODES),
    Scenario("a turn that is not answered", partial(_responses, NeverAnswer())),
)
_FATAL: Final = (
    *(Scenario(f"error: {code}", partial(_sessions, _error(code)), fatal=True) for code in _FATAL_CODES),
    Scenario(
        "response failed: insufficient_quota", partial(_responses, FailResponse("insufficient_quota")), fatal=True
    ),
    Scenario("model socket closed, 4000", partial(_sessions, lambda session: session.close(4000)), fatal=True),
)
_RECONNECTING: Final = (
    Scenario("reset, then HTTP 503", partial(_reconnects, RefuseHandshake(503))),
    Scenario("reset, then HTTP 429", partial(_reconnects, RefuseHandshake(429))),
    Scenario("reset, then server_error", partial(_reconnects, FailSession("server_error", "server_error"))),
    Scenario("reset, then HTTP 401", partial(_reconnects, RefuseHandshake(401)), fatal=True),
    Scenario("reset, then insufficient_quota", partial(_reconnects, FailSession()), fatal=True),
)
TOGETHER: Final = (
    *_PASSING,
    *_FATAL,
    *_RECONNECTING,
    Scenario("alerts delivered three times", _nothing, again=True),
)
"""Each hits its own callers only, so they can be played at the same time."""

ALONE: Final = (
    Scenario("SIGKILL, one worker of two", _kill),
    Scenario("both workers replaced", _deploy),
    Scenario("queue and table away", _cut),
)
"""Each hits all who are there."""
