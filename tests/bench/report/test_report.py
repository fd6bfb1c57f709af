"""Which faults are failures of the bench, and which are only findings."""

import pytest

from bench.limit import Limit, StoppedBy
from bench.report.report import Verdict
from tests.bench.results import a_result

LATE = Limit("worker", False, 400, [], StoppedBy.RIG_LATE)
BROKEN = Limit("forum", False, 200, [], StoppedBy.BRIDGE)


@pytest.mark.parametrize(("limit", "exit_code"), [(LATE, 0), (BROKEN, 1)])
def test_a_search_that_was_broken_off_is_a_failure(limit: Limit, exit_code: int) -> None:
    """But not one that ended at the rig's own limit, which the result shows."""
    verdict = Verdict()
    verdict.add([], [limit])
    assert verdict.exit_code == exit_code
    assert verdict.lines == ["forum, calls on one core: the bridge did not recover"] * exit_code


@pytest.mark.parametrize(("bridge", "exit_code"), [("worker", 1), ("floor", 1), ("forum", 0)])
def test_what_others_lose_is_a_finding(bridge: str, exit_code: int) -> None:
    """It is printed in both cases."""
    verdict = Verdict()
    verdict.add([a_result(bridge, 20, frames_arrived=98)], [])
    assert verdict.exit_code == exit_code
    assert verdict.lines == [f"{bridge}, 20 calls: 2 media frames lost"]


def test_a_run_that_was_not_made_is_a_failure_of_any_bridge() -> None:
    """Although all other runs succeeded."""
    verdict = Verdict(["pipecat, 40 calls: not every call came up within 32 s"])
    verdict.add([a_result("worker", 20)], [LATE])
    assert verdict.exit_code == 1
