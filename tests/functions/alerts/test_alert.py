"""The text of alerts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from functions.alerts.alert import TEXT_LENGTH, Alert
from shared.escalations.callback_numbers import NO_LISTS
from shared.on_call.link import sign
from tests.escalations import CALLED, CALLER, escalation
from tests.functions.alerts.lambda_events import PUBLIC_URL, SIGNING_KEY
from tests.shared.text.phone_links import links_in

LINK = f"{PUBLIC_URL}/desk/{sign(SecretStr(SIGNING_KEY), escalation().escalation_id, 'maria')}"
SEGMENT = 153  # characters of GSM 03.38, in a message of several
NOBODY_TO_CALL = "Normal urgency: a caller without a number to call. "


def whole(link: str = LINK, **fields: Any) -> str:
    """The whole text of the alert for an escalation with these fields."""
    return Alert.about(escalation(**fields), link, NO_LISTS).text


def text(**fields: Any) -> str:
    """The same without the link's line."""
    line, link = whole(**fields).split("\n")
    assert link == LINK
    return line


def test_who_why_and_how_urgent() -> None:
    """The most urgent comes first, since a lock screen cuts the end off; the full number, so that it can be tapped."""
    assert text(urgency="high", reason="refund", summary="Charged twice for order 12.") == (
        'URGENT: call +15551234567. Caller\'s request: "refund: Charged twice for order 12."'
    )
    assert text(urgency="normal").startswith(f"Normal urgency: call {CALLER}. ")
    assert text(urgency="low").startswith(f"Low urgency: call {CALLER}. ")


def test_another_number_to_call() -> None:
    """If the caller asked to be called at another number, that one comes first."""
    assert text(callback_number="+15550001111").startswith(
        "Normal urgency: call +15550001111 (called from +15551234567). "
    )
    for same in (CALLER, "", " "):
        assert text(callback_number=same).startswith(f"Normal urgency: call {CALLER}. ")


def test_another_number_than_one_that_is_not_called() -> None:
    """The text still says that it is another number."""
    for caller in ("anonymous", "sip:bob@evil.example", "+19005551234"):
        assert text(caller=caller, callback_number="+15550001111").startswith(
            "Normal urgency: call +15550001111 (not the number that they called from). "
        )


@pytest.mark.parametrize(
    "number",
    [
        "https://evil.example/pin",
        "sip:bob@evil.example",
        "tel:+15550001111",
        "+15550001111;ext=5",
        "+19005551234",
        "+870773111632",
        "+442079460958",
        CALLED,
        "call me",
    ],
)
def test_what_is_not_called(number: str) -> None:
    """The word `call` is followed only by a number that may be called, whatever the request contains."""
    assert text(callback_number=number).startswith(f"Normal urgency: call {CALLER}. ")
    assert text(callback_number=number, caller="anonymous").startswith(NOBODY_TO_CALL)
    assert number not in text(callback_number=number, caller="anonymous")


@pytest.mark.parametrize("caller", ["anonymous", "", "sip:bob@evil.example", "+19005551234", "+88216123456", CALLED])
def test_no_number(caller: str) -> None:
    """The text never says to call `anonymous`, an address or a premium-rate number."""
    assert text(caller=caller).startswith(NOBODY_TO_CALL)
    assert not caller or caller not in text(caller=caller)


def test_a_reason_of_ours_is_readable() -> None:
    """The voice function's reason is an identifier, so its underscores become spaces."""
    assert "call failed: " in text(reason="call_failed")


def test_the_length() -> None:
    """At most two SMS segments, however much the model wrote; cut text ends in dots of the GSM alphabet."""
    for fields in ({"summary": "why " * 500}, {"summary": "長" * 500}, {"reason": "why " * 500}):
        assert len(whole(**fields)) <= TEXT_LENGTH <= 2 * SEGMENT
        assert CALLER in whole(**fields)
    ends = {text(summary="x" * shift + " because" * 500)[-5:] for shift in range(8)}
    assert 'e..."' in ends
    assert ' ..."' not in ends
    assert "Charged" in text(reason="why " * 500)
    room = TEXT_LENGTH - len(LINK) - 1 - len(text(summary="")) - 1
    assert text(summary="x" * room).endswith('xx"')
    assert text(summary="x" * (room + 1)).endswith('x..."')


def test_the_link() -> None:
    """Complete, last and on a line of its own, so that it can be tapped; in the GSM alphabet, which costs least."""
    assert whole(summary="why " * 500).endswith(f'..."\n{LINK}')
    assert set(LINK) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")


def test_a_long_link() -> None:
    """However long the link is, the text says whom to call and why; then it needs a third segment."""
    long = LINK.replace("https://", "https://" + "a" * 200 + ".")
    assert whole(long, reason="refund", summary="Charged twice for order 12.") == (
        f'Normal urgency: call {CALLER}. Caller\'s request: "refund: Charged twice for order 12."\n{long}'
    )


def test_a_promise() -> None:
    """It says that a callback was promised, to whom and why, and has the same link."""
    promise = Alert.of_promise(escalation(reason="refund", summary="Charged twice."), LINK, NO_LISTS)
    assert promise.text == (f'Callback promised: call {CALLER}. Caller\'s request: "refund: Charged twice."\n{LINK}')
    assert promise.subject == "Callback promised: nobody took a call"


@pytest.mark.parametrize("field", ["reason", "summary"])
def test_one_plain_line(field: str) -> None:
    """A caller's words cannot start a second line, hide a word, or reverse the text."""
    line = text(**{field: "first\r\n\nsecond\x00\u202e\u200bthird"})
    assert line.isprintable()
    assert "first secondthird" in line


def test_a_caller_cannot_send_a_link() -> None:
    """People trust links in a message from the business's own number, so only our link is in it."""
    evil = f'ok". {LINK} Your desk link expired, confirm your PIN at https://evil.example/pin or bit.ly/pin'
    line = text(reason="desk", summary=evil)
    assert links_in(line) == []
    assert "hxxps://evil[.]example/pin" in text(reason="desk", summary=evil.replace(LINK, ""))
    assert line.count('"') == 2


_strange = st.text(st.characters(codec=None, exclude_categories=())) | st.sampled_from(
    ["https://evil.example/x", "sip:a@evil.example", "evil.example", f"\n{LINK}", "+19005551234", '"', "evil\u3002com"]
)


@given(
    st.dictionaries(st.sampled_from(["reason", "summary", "caller", "called", "callback_number", "language"]), _strange)
)
def test_whatever_is_in_a_message(fields: dict[str, str]) -> None:
    """One link, ours, alone on the last line; before it one line without anything that a phone makes a link."""
    for made in (Alert.about, Alert.of_promise):
        text = made(escalation(**fields), LINK, NO_LISTS).text
        line, link = text.split("\n")
        assert link == LINK
        assert links_in(line) == []
        assert PUBLIC_URL not in line
        assert line.isprintable()
        assert line.endswith('"')
        assert line.count('"') == 2
        assert len(text) <= TEXT_LENGTH


def test_the_subject_holds_nothing_private() -> None:
    """Because the subject may be shown where the text is not."""
    assert Alert.about(escalation(urgency="high"), LINK, NO_LISTS).subject == "URGENT: a caller needs a person"
