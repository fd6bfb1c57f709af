"""Escalations: the model is told that one was sent only when it is stored."""

import json

from tests.worker.dialogue import (
    Dialogue,
    of_type,
    only,
    outputs,
    requests,
    to_model,
)
from worker.conversation.effects import (
    EscalationNotSent,
    EscalationSent,
    SendEscalation,
    Timer,
)
from worker.engines.realtime import events

_ASKED = json.dumps({"reason": "wants a person", "summary": "lost a suitcase", "urgency": "high"})


def test_escalation_is_confirmed_when_stored(greeted: Dialogue) -> None:
    """The model is told only when the queue has accepted the message."""
    greeted.feed(events.TranscriptionCompleted("u1", "I want a person"))
    greeted.created("r1")
    effect = only(of_type(greeted.calls("r1", "c1", "escalate_to_human", _ASKED), SendEscalation))
    greeted.done("r1")
    escalation = effect.escalation
    assert (escalation.reason, escalation.urgency, escalation.revision) == ("wants a person", "high", 1)
    assert [turn.text for turn in escalation.transcript] == ["Hello!", "I want a person"]
    assert greeted.call.escalation_requests.open is None
    effects = greeted.feed(EscalationSent("c1"))
    assert json.loads(outputs(effects)["c1"])["status"] == "sent"
    assert requests(effects)
    assert greeted.call.escalation_requests.open


def test_escalation_not_sent(greeted: Dialogue) -> None:
    """If the queue fails, the model is told that no person was asked."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "escalate_to_human", _ASKED)
    output = json.loads(outputs(greeted.feed(EscalationNotSent("c1")))["c1"])
    assert "NOT" in output["error"]
    assert greeted.call.escalation_requests.open is None


def test_second_escalation_updates_the_first(greeted: Dialogue) -> None:
    """A call has one open escalation: the id stays, the revision rises."""
    greeted.created("r1")
    first = only(of_type(greeted.calls("r1", "c1", "escalate_to_human", _ASKED), SendEscalation)).escalation
    greeted.feed(EscalationSent("c1"))
    second = only(of_type(greeted.calls("r1", "c2", "escalate_to_human", _ASKED), SendEscalation)).escalation
    assert second.escalation_id == first.escalation_id
    assert second.revision == 2
    assert json.loads(outputs(greeted.feed(EscalationSent("c2")))["c2"])["status"] == "updated"


def test_escalation_is_tried_again(greeted: Dialogue) -> None:
    """An escalation that was not sent is retried during the call; the model is told when it is stored."""
    greeted.created("r1")
    first = only(of_type(greeted.calls("r1", "c1", "escalate_to_human", _ASKED), SendEscalation)).escalation
    greeted.feed(EscalationNotSent("c1"))
    greeted.done("r1")
    for _ in range(2):
        again = only(of_type(greeted.fire(Timer.ESCALATION), SendEscalation))
        assert again.escalation == first == greeted.call.escalation_requests.unsent
        assert not outputs(greeted.feed(EscalationNotSent(again.call_id)))
    again = only(of_type(greeted.fire(Timer.ESCALATION), SendEscalation))
    note = only(to_model(greeted.feed(EscalationSent(again.call_id)), "conversation.item.create"))["item"]
    assert "has been sent now" in note["content"][0]["text"]
    assert greeted.call.escalation_requests.open
    assert greeted.call.escalation_requests.unsent is None
    assert Timer.ESCALATION not in greeted.running


def test_bad_escalation_arguments(greeted: Dialogue) -> None:
    """Invalid arguments are answered with the allowed ones; nothing is sent."""
    greeted.created("r1")
    effects = greeted.calls("r1", "c1", "escalate_to_human", '{"reason": "x", "summary": "y", "urgency": "asap"}')
    assert not of_type(effects, SendEscalation)
    assert "urgency" in outputs(effects)["c1"]
