"""Helpers for a caller who waits for a person: checks of the escalation's progress and the agent's replies."""

import json
from typing import Any

from tests.worker.dialogue import Dialogue, of_type, only, outputs
from worker.conversation.effects import CheckEscalation, Effect, EscalationSeen, EscalationSent, Timer

ASKED = json.dumps({"reason": "wants a person", "summary": "lost a suitcase"})


def asks(dialogue: Dialogue, call_id: str = "c1") -> None:
    """The model escalates, and tells the caller the result."""
    dialogue.created(f"ask_{call_id}")
    dialogue.calls(f"ask_{call_id}", call_id, "escalate_to_human", ASKED)
    dialogue.feed(EscalationSent(call_id))
    request = only([e for e in dialogue.done(f"ask_{call_id}") if "response.create" in str(e)])
    speaks(dialogue, request.event, f"told_{call_id}")


def speaks(dialogue: Dialogue, request: dict[str, Any], response_id: str) -> None:
    """The requested response is spoken and heard."""
    dialogue.created(response_id, answers=request)
    dialogue.says(response_id, f"item_{response_id}", 500, "words")
    dialogue.done(response_id)
    dialogue.echo_all()


def checks(dialogue: Dialogue) -> str:
    """The timer for a check fires; returns the id of the escalation that is checked."""
    return str(only(of_type(dialogue.fire(Timer.ESCALATION_CHECK), CheckEscalation)).escalation_id)


def sees(dialogue: Dialogue, status: Any, person: str | None = None, **seen: bool) -> list[Effect]:
    """The call checks the escalation, with this result; returns the effects."""
    return dialogue.feed(EscalationSeen(checks(dialogue), status, person, **seen))


def status(dialogue: Dialogue, call_id: str) -> dict[str, Any]:
    """The output of the tool `escalation_status`."""
    dialogue.created(f"r_{call_id}")
    output = outputs(dialogue.calls(f"r_{call_id}", call_id, "escalation_status"))[call_id]
    request = only([e for e in dialogue.done(f"r_{call_id}") if "response.create" in str(e)])
    speaks(dialogue, request.event, f"said_{call_id}")
    told: dict[str, Any] = json.loads(output)
    return told
