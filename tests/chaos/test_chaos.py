"""`make chaos` in short: each fault once, while callers are talking. What became of them counts, not how fast."""

from collections.abc import Sequence

import pytest

from local.chaos.play import play_together
from local.chaos.scenarios import ALONE, TOGETHER, Scenario
from local.chaos.world import World

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def _nobody_is_harmed(world: World, scenarios: Sequence[Scenario], calls: int) -> None:
    """No caller is dropped, every escalation is alerted once, and whoever goes on knows what was said."""
    for outcome in await play_together(world, scenarios, calls):
        assert not outcome.problems, outcome.scenario.name
        as_it_should = outcome.apologised if outcome.scenario.fatal else outcome.up
        assert (as_it_should, outcome.alerted) == (calls, calls), outcome.scenario.name
        assert outcome.remembered == outcome.said, outcome.scenario.name


async def test_what_hits_one_caller_each(chaotic: World) -> None:
    """All that the model can do to a session, at the same time, each to a caller in the midst of an answer."""
    await _nobody_is_harmed(chaotic, TOGETHER, 1)


@pytest.mark.parametrize("scenario", ALONE, ids=lambda scenario: scenario.name)
async def test_what_hits_all_who_are_there(chaotic: World, scenario: Scenario) -> None:
    """Callers of all four kinds: talking or listening, before or after they asked for a person."""
    await _nobody_is_harmed(chaotic, [scenario], 4)
