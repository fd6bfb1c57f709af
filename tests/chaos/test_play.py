"""How many callers phone at once, and that each scenario gets all of its calls."""

from collections import Counter

import pytest

from local.chaos.play import CALLS_AT_ONCE, rounds
from local.chaos.scenarios import ALONE, TOGETHER


@pytest.mark.parametrize("calls", [1, 10, CALLS_AT_ONCE, 42, 100])
def test_rounds(calls: int) -> None:
    """Never more at once than there may be; what hits all who are there is alone."""
    played: Counter[str] = Counter()
    for scenarios, batch in rounds(calls):
        assert 0 < len(scenarios) * batch <= CALLS_AT_ONCE
        assert len(scenarios) == 1 or not set(scenarios) & set(ALONE)
        played.update({scenario.name: batch for scenario in scenarios})
    assert played == {scenario.name: calls for scenario in (*TOGETHER, *ALONE)}
