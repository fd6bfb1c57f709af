"""Faults wait for their moment and happen once."""

import pytest

from local.model.faults import (
    NAMES,
    CloseSocket,
    Faults,
    LateTranscription,
    NeverAnswer,
    NeverFinish,
    from_text,
)


def test_a_fault_happens_once_and_a_sessions_own_come_first() -> None:
    """Of two kinds each is taken by its own moment; what was cleared does not happen."""
    everyone = Faults()
    own = Faults(everyone)
    everyone.add(NeverFinish(after_ms=1), NeverAnswer())
    own.add(NeverFinish(after_ms=2))
    assert own.take(NeverFinish) == NeverFinish(after_ms=2)
    assert own.take(NeverFinish) == NeverFinish(after_ms=1)
    assert own.take(NeverFinish) is None
    everyone.clear()
    assert own.take(NeverAnswer) is None


def test_faults_can_be_named_in_text() -> None:
    """With numbers and switches read as such, and errors that say what is allowed."""
    assert len(NAMES) == 24
    assert from_text("CloseSocket", {"code": "1001", "reset": "true"}) == CloseSocket(1001, reset=True)
    assert from_text("LateTranscription", {"seconds": "0.1"}) == LateTranscription(0.1)
    with pytest.raises(ValueError, match="there are RefuseHandshake"):
        from_text("Nonsense", {})
    with pytest.raises(ValueError, match="it has code, reason, after_ms, reset"):
        from_text("CloseSocket", {"colour": "red"})
