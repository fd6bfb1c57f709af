"""The callback number that a caller states: checked at once; a bad number does not stop the escalation."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.escalations.callback_numbers import CallbackRules
from shared.escalations.record import EscalationRecord
from shared.escalations.request import CALL_FAILED, Escalation
from shared.numbers.phone_numbers import ANONYMOUS, is_e164
from tests.worker.dialogue import STARTED_AT, Dialogue, of_type, only, outputs
from worker.conversation.effects import EscalationNotSent, EscalationSent, SendEscalation, Timer
from worker.conversation.resumption import ResumedCall

PREMIUM, SATELLITE, JAMAICA = "+19005551234", "+870773111632", "+18765550100"
CALLED = "+15550000002"


def asks(dialogue: Dialogue, call_id: str = "c1", **arguments: Any) -> Escalation:
    """The model escalates; returns the escalation that is sent."""
    dialogue.created(f"r_{call_id}")
    asked = json.dumps({"reason": "wants a person", "summary": "lost a suitcase", **arguments})
    effect = only(of_type(dialogue.calls(f"r_{call_id}", call_id, "escalate_to_human", asked), SendEscalation))
    dialogue.done(f"r_{call_id}")
    assert isinstance(effect.escalation, Escalation)
    return effect.escalation


def told(dialogue: Dialogue, call_id: str = "c1") -> dict[str, Any]:
    """The tool's output after the queue has accepted the escalation."""
    output: dict[str, Any] = json.loads(outputs(dialogue.feed(EscalationSent(call_id)))[call_id])
    return output


@pytest.mark.parametrize(
    ("said", "kept"),
    [("+15557654321", "+15557654321"), ("212 555-0111", "+12125550111"), ("001 (212) 555 0111", "+12125550111")],
)
def test_a_good_number_is_kept(greeted: Dialogue, said: str, kept: str) -> None:
    """Stored as E.164, whatever format the caller uses."""
    assert asks(greeted, callback_number=said).callback_number == kept
    output = told(greeted)
    assert output["status"] == "sent"
    assert "NOT" not in output["note"]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (PREMIUM, "premium rate"),
        (SATELLITE, "satellite"),
        (JAMAICA, "those are US"),
        ("+442079460958", "those are US"),
        (CALLED, "our own"),
        ("+15550000009", "our own"),
        ("555 0123", "not a complete phone number"),
        ("sip:bob@evil.example", "not a complete phone number"),
        ("+12125550111;ext=5", "not a complete phone number"),
        ("https://evil.example/+12125550111", "not a complete phone number"),
        ("\uff0b\uff11" * 2000, "not a complete phone number"),
    ],
)
def test_a_bad_number_is_left_out(number: str, why: str) -> None:
    """The escalation is sent without it, and the model is told why, so that it asks for another number."""
    dialogue = Dialogue(callbacks=CallbackRules().and_ours("+15550000009"))
    dialogue.greeted()
    escalation = asks(dialogue, callback_number=number)
    assert (escalation.reason, escalation.callback_number) == ("wants a person", None)
    output = told(dialogue)
    assert output["status"] == "sent"
    assert "callback number was NOT kept" in output["note"]
    assert why in output["note"]
    assert number not in output["note"]


def test_the_model_is_told_when_the_queue_fails_as_well(greeted: Dialogue) -> None:
    """The refusal is in the error output; the retry sends the escalation without telling it again."""
    asks(greeted, callback_number=PREMIUM)
    output = json.loads(outputs(greeted.feed(EscalationNotSent("c1")))["c1"])
    assert "could NOT be sent" in output["error"]
    assert "callback number was NOT kept" in output["error"]
    again = only(of_type(greeted.fire(Timer.ESCALATION), SendEscalation))
    assert again.escalation.callback_number is None
    greeted.feed(EscalationSent(again.call_id))


def test_other_countries_if_the_settings_say_so() -> None:
    """Only numbers of the configured countries are accepted."""
    dialogue = Dialogue(callbacks=CallbackRules(("GB",)))
    dialogue.greeted()
    assert asks(dialogue, callback_number="+44 20 7946 0958").callback_number == "+442079460958"


def test_a_number_that_was_kept_stays(greeted: Dialogue) -> None:
    """An update without a number, or with a refused one, keeps the number that the caller gave before."""
    assert asks(greeted, "c1", callback_number="212 555 0111").callback_number == "+12125550111"
    told(greeted, "c1")
    assert asks(greeted, "c2").callback_number == "+12125550111"
    told(greeted, "c2")
    assert asks(greeted, "c3", callback_number=PREMIUM).callback_number == "+12125550111"
    assert "NOT kept" in told(greeted, "c3")["note"]
    assert asks(greeted, "c4", callback_number="+15550000001").callback_number == "+15550000001"


def test_it_stays_at_another_worker() -> None:
    """The other worker reads it from the table."""
    first = Dialogue()
    first.greeted()
    record = EscalationRecord.queued(asks(first, callback_number="212 555 0111"), STARTED_AT)
    dialogue = Dialogue(past=ResumedCall({}, apologise=False, records=(record,)), caller=ANONYMOUS)
    dialogue.ready()
    assert dialogue.call.escalation_requests.can_be_called
    assert asks(dialogue).callback_number == "+12125550111"


def test_the_next_escalation_starts_without_a_number(greeted: Dialogue) -> None:
    """The number stated for a handled escalation does not count for the next one."""
    asks(greeted, "c1", callback_number="212 555 0111")
    told(greeted, "c1")
    greeted.call.escalation_requests.over()
    assert asks(greeted, "c2").callback_number is None


@pytest.mark.parametrize("caller", [ANONYMOUS, "sip:bob@evil.example", SATELLITE, PREMIUM, CALLED])
def test_no_callback_is_promised_without_a_number(caller: str) -> None:
    """`can_be_called` is False until the caller states a number that we may call."""
    dialogue = Dialogue(caller=caller)
    dialogue.greeted()
    assert not dialogue.call.escalation_requests.can_be_called
    asks(dialogue, "c1", callback_number=SATELLITE)
    told(dialogue, "c1")
    assert not dialogue.call.escalation_requests.can_be_called
    asks(dialogue, "c2", callback_number="212 555 0111")
    told(dialogue, "c2")
    assert dialogue.call.escalation_requests.can_be_called


def test_the_model_cannot_use_the_reason_of_a_dropped_call(greeted: Dialogue) -> None:
    """Only the voice function may set `CALL_FAILED`: with it the web page shows that the caller has gone."""
    assert asks(greeted, reason=CALL_FAILED).reason == "call failed"


@given(st.text() | st.text("+0123456789 -().;=x"))
def test_any_text_as_number(number: str) -> None:
    """Only an E.164 number gets into an escalation, and every escalation is sent."""
    dialogue = Dialogue()
    dialogue.greeted()
    kept = asks(dialogue, callback_number=number).callback_number
    assert kept is None or is_e164(kept)
    output = told(dialogue)
    assert output["status"] == "sent"
    assert ("NOT kept" in output["note"]) == (kept is None and bool(number.strip()))
