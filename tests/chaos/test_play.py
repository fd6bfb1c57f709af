"""How many callers phone at once, and that each scenario gets all of its calls."""

import pytest

from local.chaos.play import CALLS_AT_ONCE, batches


@pytest.mark.parametrize("calls", [1, 10, CALLS_AT_ONCE, 42, 100])
def test_batches(calls: int) -> None:
    """No batch is larger than the limit, and none much smaller than another."""
    sizes = batches(calls)
    assert sum(sizes) == calls
    assert 0 < min(sizes) <= max(sizes) <= min(CALLS_AT_ONCE, min(sizes) + 1)
