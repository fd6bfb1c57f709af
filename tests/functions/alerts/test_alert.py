"""The alert's text."""

from typing import Any

import pytest
from pydantic import SecretStr

from functions.alerts.alert import TEXT_LENGTH, Alert
from shared.desk_link import mint
from tests.escalations import CALLER, escalation
from tests.functions.alerts.lambda_events import PUBLIC_URL, SIGNING_KEY

LINK = f"{PUBLIC_URL}/desk/{mint(SecretStr(SIGNING_KEY), escalation().escalation_id, 'maria')}"
SEGMENT = 153  # characters of GSM 03.38, in a message of several


def text(**fields: Any) -> str:
    """The text of the alert for an escalation with these fields, without the link's line."""
    line, link = Alert.about(escalation(**fields), LINK).text.split("\n")
    assert link == LINK
    return line


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
        whole = Alert.about(escalation(**fields), LINK).text
        assert len(whole) <= TEXT_LENGTH <= 2 * SEGMENT
        assert CALLER in whole
    ends = {text(summary="x" * shift + " because" * 500)[-4:] for shift in range(8)}
    assert "e..." in ends
    assert " ..." not in ends
    assert "Charged" in text(reason="why " * 500)
    room = TEXT_LENGTH - len(LINK) - 1 - len(text(summary="")) - 1
    assert text(summary="x" * room).endswith("xx")
    assert text(summary="x" * (room + 1)).endswith("x...")


def test_the_link() -> None:
    """Whole, last and on a line of its own, where a phone makes it one to tap; in the alphabet that costs least."""
    whole = Alert.about(escalation(summary="why " * 500), LINK).text
    assert whole.endswith(f"...\n{LINK}")
    assert set(LINK) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")


def test_a_long_link() -> None:
    """Wherever the API is, whom to call and why has its place, in a third segment then."""
    long = LINK.replace("https://", "https://" + "a" * 200 + ".")
    whole = Alert.about(escalation(reason="refund", summary="Charged twice for order 12."), long).text
    assert whole == f"Normal urgency: call {CALLER}. refund: Charged twice for order 12.\n{long}"


def test_a_promise() -> None:
    """It says that there is somebody to call back, to whom and why, and opens the same page."""
    promise = Alert.of_promise(escalation(reason="refund", summary="Charged twice."), LINK)
    assert promise.text == f"Call back promised: call {CALLER}. refund: Charged twice.\n{LINK}"
    assert promise.subject == "Call back promised: nobody took a call"


@pytest.mark.parametrize("field", ["reason", "summary", "caller", "callback_number"])
def test_one_plain_line(field: str) -> None:
    """A stranger cannot start a second line, hide a word, or turn the rest around."""
    line = text(**{field: "first\r\n\nsecond\x00\u202e\u200bthird"})
    assert line.isprintable()
    assert "first secondthird" in line


def test_the_subject_holds_nothing_private() -> None:
    """It may be shown where the text is not."""
    assert Alert.about(escalation(urgency="high"), LINK).subject == "URGENT: a caller needs a person"
