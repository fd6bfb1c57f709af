"""The search for a limit doubles while all is well, then halves what is not known."""

import pytest

from bench.limit import Limit, Step, next_try

MOST = 800


def _step(calls: int, limit: int) -> Step:
    return Step(calls, 1.0, 2.0 if calls <= limit else 90.0, 0.1)


@pytest.mark.parametrize("limit", [3, 30, 170, 640])
def test_a_limit_is_found_to_within_a_twelfth(limit: int) -> None:
    """In a dozen steps, whatever it is."""
    steps: list[Step] = []
    while (calls := next_try(steps, MOST)) is not None:
        steps.append(_step(calls, limit))
    held = max(step.calls for step in steps if step.holds)
    assert held <= limit <= held * 1.1 + 1
    assert len(steps) <= 12


def test_the_search_ends_at_the_most() -> None:
    """Which holds, and then nothing more is tried."""
    steps = [_step(400, 1000)]
    assert next_try(steps, MOST) == MOST
    assert next_try([*steps, _step(MOST, 1000)], MOST) is None


def test_a_step_fails_by_either_way_or_by_the_rig() -> None:
    """And one whose calls did not come up has no percentiles at all."""
    assert Step(10, 19.9, 19.9, 0.1).holds
    assert not Step(10, 20.1, 1.0, 0.1).holds
    assert not Step(10, 1.0, 20.1, 0.1).holds
    assert not Step(10, None, None, None).holds
    late = Step(10, 1.0, 1.0, 6.0)
    assert not late.holds
    assert Limit("floor", False, 5, [late]).is_the_rigs
    assert not Limit("floor", False, 5, [late, Step(8, 30.0, 1.0, 0.1)]).is_the_rigs
