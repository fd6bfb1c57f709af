"""Every function call gets exactly one output, and all of a response get one answer."""

from worker.engines.realtime.tool_outputs import ToolOutputs


def test_one_output() -> None:
    """A call begins once and is answered once; one that was never made is not answered."""
    calls = ToolOutputs()
    assert calls.began("c1", "r1")
    assert not calls.began("c1", "r1")
    assert calls.running
    assert calls.answered("c1")
    assert not calls.answered("c1")
    assert not calls.answered("c2")
    assert not calls.running


def test_reply_is_due_when_all_are_answered_and_the_response_is_over() -> None:
    """Neither a call that runs nor the response that made it leaves room for the answer."""
    calls = ToolOutputs()
    calls.began("c1", "r1")
    calls.began("c2", "r1")
    calls.answered("c1")
    calls.response_finished("r1")
    assert not calls.reply_due
    calls.answered("c2")
    assert calls.reply_due
    calls.reply_requested()
    assert not calls.reply_due


def test_a_slow_call_does_not_hold_back_another_response() -> None:
    """Calls of different responses are answered apart."""
    calls = ToolOutputs()
    calls.began("slow", "r1")
    calls.response_finished("r1")
    calls.began("quick", "r2")
    calls.response_finished("r2")
    calls.answered("quick")
    assert calls.reply_due


def test_request_lost() -> None:
    """An answer that will not come is due again."""
    calls = ToolOutputs()
    calls.began("c1", "r1")
    calls.response_finished("r1")
    calls.answered("c1")
    calls.reply_requested()
    calls.reply_lost()
    assert calls.reply_due


def test_the_servers_response_sees_what_was_taken_in() -> None:
    """A response that the server starts sees an output only if the server had it before."""
    calls = ToolOutputs()
    for call_id in ("in", "late"):
        calls.began(call_id, call_id)
        calls.response_finished(call_id)
        calls.answered(call_id)
    calls.added("in")
    calls.reply_began(requested=False)
    assert calls.reply_due
    calls.added("late")
    calls.reply_began(requested=False)
    assert not calls.reply_due
