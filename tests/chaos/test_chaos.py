"""`make chaos` with few calls: each fault once, during calls. Results are checked, times are not."""

import pytest

from local.chaos.play import play
from local.chaos.scenarios import SCENARIOS, Scenario
from local.chaos.system import ChaosSystem

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_no_call_is_dropped(chaotic: ChaosSystem, scenario: Scenario) -> None:
    """No call of the four kinds is dropped, escalations are alerted once, and resumed calls keep their history."""
    outcome = await play(chaotic, scenario, 4)
    assert not outcome.problems
    assert (outcome.up, outcome.alerted) == (4, 4)
    assert outcome.remembered == outcome.said
