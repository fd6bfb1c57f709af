"""Each fault happens once."""

from local.model.faults import Faults, NeverFinish


def test_a_fault_happens_once_and_a_sessions_own_come_first() -> None:
    """Of the same kind, the session's comes before the model's."""
    everyone = Faults()
    own = Faults(everyone)
    everyone.add(NeverFinish(after_ms=1))
    own.add(NeverFinish(after_ms=2))
    assert own.take(NeverFinish) == NeverFinish(after_ms=2)
    assert own.take(NeverFinish) == NeverFinish(after_ms=1)
    assert own.take(NeverFinish) is None
