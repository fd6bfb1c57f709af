"""Every function call gets exactly one output, and all calls of one response get one reply."""

from worker.engines.realtime.tool_outputs import ToolOutputs


def test_one_output() -> None:
    """A call begins once and is answered once; an unknown call is not answered."""
    tool_outputs = ToolOutputs()
    assert tool_outputs.began("c1", "r1")
    assert not tool_outputs.began("c1", "r1")
    assert tool_outputs.running
    assert tool_outputs.answered("c1")
    assert not tool_outputs.answered("c1")
    assert not tool_outputs.answered("c2")
    assert not tool_outputs.running


def test_reply_is_due_when_all_are_answered_and_the_response_is_over() -> None:
    """The reply waits for the response and for all its calls."""
    tool_outputs = ToolOutputs()
    tool_outputs.began("c1", "r1")
    tool_outputs.began("c2", "r1")
    tool_outputs.answered("c1")
    tool_outputs.response_finished("r1")
    assert not tool_outputs.reply_due
    tool_outputs.answered("c2")
    assert tool_outputs.reply_due
    tool_outputs.reply_requested()
    assert not tool_outputs.reply_due


def test_a_slow_call_does_not_hold_back_another_response() -> None:
    """Calls of different responses get separate replies."""
    tool_outputs = ToolOutputs()
    tool_outputs.began("slow", "r1")
    tool_outputs.response_finished("r1")
    tool_outputs.began("quick", "r2")
    tool_outputs.response_finished("r2")
    tool_outputs.answered("quick")
    assert tool_outputs.reply_due


def test_request_lost() -> None:
    """A reply that will not come is due again."""
    tool_outputs = ToolOutputs()
    tool_outputs.began("c1", "r1")
    tool_outputs.response_finished("r1")
    tool_outputs.answered("c1")
    tool_outputs.reply_requested()
    tool_outputs.reply_lost()
    assert tool_outputs.reply_due


def test_the_servers_response_sees_what_was_added() -> None:
    """A response that the server starts sees only outputs that were added before."""
    tool_outputs = ToolOutputs()
    for call_id in ("in", "late"):
        tool_outputs.began(call_id, call_id)
        tool_outputs.response_finished(call_id)
        tool_outputs.answered(call_id)
    tool_outputs.added("in")
    tool_outputs.reply_began(requested=False)
    assert tool_outputs.reply_due
    tool_outputs.added("late")
    tool_outputs.reply_began(requested=False)
    assert not tool_outputs.reply_due
