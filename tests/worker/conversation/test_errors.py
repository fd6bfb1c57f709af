"""Errors and failed responses: ignored, retried, or the end of the call."""

from typing import Any

import pytest

from shared.calls.ending import CallEnd
from tests.worker.dialogue import (
    Dialogue,
    of_type,
    only,
    requests,
    to_model,
)
from worker.conversation.effects import (
    Connect,
    Effect,
    HangUp,
    ModelLost,
    RunTool,
    Timer,
    ToolFinished,
)
from worker.engines.realtime import events


def test_error_never_asks_for_a_response(greeted: Dialogue) -> None:
    """No error event causes a `response.create`."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.feed(ToolFinished("c1", "always"))
    request = only(requests(greeted.done("r1")))
    for code in ("response_cancel_not_active", "item_not_found", "something_new", "server_error"):
        assert not requests(greeted.fails(code, request["event_id"]))


def test_refused_request(greeted: Dialogue) -> None:
    """A request that was refused because of another response is sent again once, after that response."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.feed(ToolFinished("c1", "always"))
    assert requests(greeted.done("r1"))
    assert not requests(greeted.fails("conversation_already_has_active_response"))
    assert not requests(greeted.created("r2"))
    assert len(requests(greeted.done("r2"))) == 1


def test_greeting_overtaken_by_the_caller() -> None:
    """If the caller speaks first, a greeting that was refused because of the answer is dropped."""
    dialogue = Dialogue()
    assert requests(dialogue.ready())
    dialogue.caller_turn()
    dialogue.created("r1")
    dialogue.fails("conversation_already_has_active_response")
    dialogue.says("r1", "i1", 500)
    assert not requests(dialogue.done("r1"))


def test_refused_by_a_response_unknown_to_us(greeted: Dialogue) -> None:
    """If we do not know the active response, no request follows at once: it would be refused as well."""
    greeted.press("1")
    assert requests(greeted.fire(Timer.KEYPAD))
    greeted.fails("conversation_already_has_active_response")
    assert not requests(greeted.echo("any"))
    assert len(requests(greeted.fire(Timer.VAD_RESPONSE))) == 1


def _fails_again(dialogue: Dialogue, request: dict[str, Any], code: str = "server_error") -> list[Effect]:
    dialogue.created("again", answers=request)
    return dialogue.done("again", "failed", code)


def test_failed_response(greeted: Dialogue) -> None:
    """A temporary failure is retried after a pause, then in another session; the third one ends the call."""
    greeted.caller_turn()
    greeted.feed(events.TranscriptionCompleted("user", "When are you open?"))
    greeted.created("r1")
    assert not requests(greeted.done("r1", "failed", "server_error"))
    elsewhere = _fails_again(greeted, only(requests(greeted.fire(Timer.RETRY))))
    assert of_type(elsewhere, Connect)
    assert not requests(elsewhere)
    restored = greeted.ready()
    assert "When are you open?" in str(to_model(restored, "conversation.item.create"))
    end = only(of_type(_fails_again(greeted, only(requests(restored))), HangUp))
    assert (end.ended, end.reason) == (CallEnd.FAILED, "server_error")


def test_another_session_helps(greeted: Dialogue) -> None:
    """A success there resets the count: the next failure is again the first."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.done("r1", "failed", "server_error")
    _fails_again(greeted, only(requests(greeted.fire(Timer.RETRY))))
    greeted.created("r3", answers=only(requests(greeted.ready())))
    greeted.says("r3", "i3", 500, "Day and night.")
    greeted.done("r3")
    greeted.created("r4")
    greeted.done("r4", "failed", "server_error")
    assert Timer.RETRY in greeted.running


def test_another_session_cannot_be_opened(greeted: Dialogue) -> None:
    """It is retried like a lost session, and then the call ends."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.done("r1", "failed", "server_error")
    _fails_again(greeted, only(requests(greeted.fire(Timer.RETRY))))
    greeted.feed(ModelLost("model_unreachable: OSError"))
    for _ in range(2):
        assert of_type(greeted.fire(Timer.RECONNECT), Connect)
        effects = greeted.feed(ModelLost("model_unreachable: OSError"))
    assert only(of_type(effects, HangUp)).ended is CallEnd.FAILED


def test_answer_of_a_tool_that_fails(greeted: Dialogue) -> None:
    """The tool does not run again; the other session gets its result."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "book_room")
    greeted.feed(ToolFinished("c1", "booked"))
    greeted.created("r2", answers=only(requests(greeted.done("r1"))))
    greeted.done("r2", "failed", "server_error")
    _fails_again(greeted, only(requests(greeted.fire(Timer.RETRY))))
    restored = greeted.ready()
    assert "It gave: booked" in str(to_model(restored, "conversation.item.create"))
    assert len(requests(restored)) == 1
    assert len(of_type(greeted.effects, RunTool)) == 1


def test_failure_of_an_interrupted_response(greeted: Dialogue) -> None:
    """The failure of an interrupted response is ignored, unless it is fatal."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.caller_speaks("u2")
    greeted.done("r1", "failed", "server_error")
    assert Timer.RETRY not in greeted.running
    greeted.created("r2")
    greeted.caller_speaks("u3")
    assert of_type(greeted.done("r2", "failed", "insufficient_quota"), HangUp)


@pytest.mark.parametrize(
    "code",
    [
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "invalid_api_key",
        "account_deactivated",
        "beta_api_shape_disabled",
    ],
)
def test_fatal(greeted: Dialogue, code: str) -> None:
    """A retry cannot help: the call ends, whether it comes as an error or as a failed response."""
    other = Dialogue()
    other.greeted()
    other.caller_turn()
    other.created("r1")
    assert only(of_type(greeted.fails(code), HangUp)).ended is CallEnd.FAILED
    assert only(of_type(other.done("r1", "failed", code), HangUp)).ended is CallEnd.FAILED


def test_request_without_answer(greeted: Dialogue) -> None:
    """A request without answer is sent once more, then in another session; then the call ends."""
    greeted.press("1")
    assert requests(greeted.fire(Timer.KEYPAD))
    greeted.fire(Timer.RESPONSE)
    assert requests(greeted.fire(Timer.RETRY))
    assert of_type(greeted.fire(Timer.RESPONSE), Connect)
    assert requests(greeted.ready())
    assert only(of_type(greeted.fire(Timer.RESPONSE), HangUp)).ended is CallEnd.FAILED


def test_server_does_not_answer(greeted: Dialogue) -> None:
    """If the server does not answer a caller's turn by itself, the call requests the answer."""
    assert not requests(greeted.caller_turn())
    assert len(requests(greeted.fire(Timer.VAD_RESPONSE))) == 1
