"""The alert's text."""

from typing import Any

import pytest

from functions.alerts.alert import TEXT_LENGTH, Alert
from tests.escalations import CALLER, escalation


def text(**fields: Any) -> str:
    """The text of the alert for an escalation with these fields."""
    return Alert.about(escalation(**fields)).text


def test_who_why_and_how_urgent() -> None:
    """In the order in which a lock screen cuts it off, with the number in full, so that it can be tapped."""
    assert text(urgency="high", reason="refund", summary="Charged twice for order 12.") == (
        "URGENT: call +15551234567. refund: Charged twice for order 12."
    )
    assert text(urgency="normal").startswith(f"Normal urgency: call {CALLER}. ")
    assert text(urgency="low").startswith(f"Low urgency: call {CALLER}. ")


def test_another_number_to_call() -> None:
    """The number that the caller asked to be called at comes first, if it is another one."""
    assert text(callback_number="+15550001111").startswith(
        "Normal urgency: call +15550001111 (called from +15551234567). "
    )
    for same in (CALLER, "", " "):
        assert text(callback_number=same).startswith(f"Normal urgency: call {CALLER}. ")


def test_no_number() -> None:
    """Nobody is told to call `anonymous`, unless that caller left a number."""
    assert text(caller="anonymous").startswith("Normal urgency: a caller without a number. ")
    assert text(caller="").startswith("Normal urgency: a caller without a number. ")
    assert text(caller="anonymous", callback_number="+15550001111").startswith("Normal urgency: call +15550001111 (")


def test_a_reason_of_ours_is_readable() -> None:
    """The voice function's reason is a word for programs."""
    assert "call failed: " in text(reason="call_failed")


def test_the_length() -> None:
    """Two segments of an SMS and no more, with dots that every phone knows, however much the model wrote."""
    for fields in ({"summary": "why " * 500}, {"summary": "長" * 500}, {"reason": "why " * 500}):
        long = text(**fields)
        assert len(long) <= TEXT_LENGTH
        assert CALLER in long
    ends = {text(summary="x" * shift + " because" * 500)[-4:] for shift in range(8)}
    assert "e..." in ends
    assert " ..." not in ends
    assert "Charged twice" in text(reason="why " * 500)
    room = TEXT_LENGTH - len(text(summary="")) - 1
    assert text(summary="x" * room).endswith("xx")
    assert text(summary="x" * (room + 1)).endswith("x...")


@pytest.mark.parametrize("field", ["reason", "summary", "caller", "callback_number"])
def test_one_plain_line(field: str) -> None:
    """A stranger cannot start a second line, hide a word, or turn the rest around."""
    line = text(**{field: "first\r\n\nsecond\x00\u202e\u200bthird"})
    assert line.isprintable()
    assert "first secondthird" in line


def test_the_subject_holds_nothing_private() -> None:
    """It may be shown where the text is not."""
    assert Alert.about(escalation(urgency="high")).subject == "URGENT: a caller needs a person"
