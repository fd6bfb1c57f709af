"""Percentiles by nearest rank."""

from bench.rig.gauges import Spread


def test_percentiles_are_samples() -> None:
    """Of 1 to 200 ms, in any order."""
    assert Spread.of([ms * 1_000_000 for ms in range(200, 0, -1)]) == Spread(200, 100.0, 190.0, 198.0, 200.0)


def test_one_sample_is_every_percentile() -> None:
    """With a precision of microseconds."""
    assert Spread.of([1_234_567]) == Spread(1, 1.235, 1.235, 1.235, 1.235)


def test_without_samples_there_is_no_percentile() -> None:
    """It is None, since a zero would look like a good result."""
    assert Spread.of([]) == Spread(0, None, None, None, None)
