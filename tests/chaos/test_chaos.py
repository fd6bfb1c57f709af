"""`make chaos` in short: each fault once, while callers are talking. What became of them counts, not how fast."""

import pytest

from local.chaos.play import play
from local.chaos.scenarios import SCENARIOS, Scenario
from local.chaos.system import ChaosSystem

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_nobody_is_harmed(chaotic: ChaosSystem, scenario: Scenario) -> None:
    """No caller of the four kinds is dropped, every escalation is alerted once, and whoever goes on is remembered."""
    outcome = await play(chaotic, scenario, 4)
    assert not outcome.problems
    assert (outcome.up, outcome.alerted) == (4, 4)
    assert outcome.remembered == outcome.said
