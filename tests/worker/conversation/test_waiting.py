"""While the caller waits for the agent, a tone shows that the line is alive."""

from tests.worker.dialogue import Dialogue, of_type, only, requests
from worker.conversation.effects import ModelLost, PlayAudio, Timer, ToolFinished


def _waits(dialogue: Dialogue) -> float:
    return dialogue.running[Timer.LONG_WAIT] - dialogue.now


def test_answer_takes_long(greeted: Dialogue) -> None:
    """A tone after each three seconds, until the agent speaks."""
    greeted.caller_turn()
    assert _waits(greeted) == 3000
    assert of_type(greeted.fire(Timer.LONG_WAIT), PlayAudio)
    assert Timer.LONG_WAIT not in greeted.running
    greeted.now += 400
    greeted.echo_all()
    assert _waits(greeted) == 3000
    greeted.created("r1")
    greeted.says("r1", "i1", 500)
    assert Timer.LONG_WAIT not in greeted.running


def test_answer_in_time(greeted: Dialogue) -> None:
    """An answer in time has no tone before it; after it the caller does not wait."""
    greeted.caller_turn()
    greeted.now += 2900
    greeted.created("r1")
    greeted.says("r1", "i1", 500)
    greeted.done("r1")
    greeted.echo_all()
    assert Timer.LONG_WAIT not in greeted.running


def test_wait_is_counted_from_its_beginning(greeted: Dialogue) -> None:
    """Silent activity of the server does not restart the wait."""
    greeted.caller_turn()
    due = greeted.running[Timer.LONG_WAIT]
    greeted.now += 1000
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    greeted.now += 1000
    assert requests(greeted.feed(ToolFinished("c1", "always")))
    assert greeted.running[Timer.LONG_WAIT] == due


def test_callers_turn(greeted: Dialogue) -> None:
    """There is no wait while the caller speaks or after the answer."""
    assert Timer.LONG_WAIT not in greeted.running
    greeted.caller_turn()
    greeted.caller_speaks()
    assert Timer.LONG_WAIT not in greeted.running


def test_caller_speaks_into_the_tone(greeted: Dialogue) -> None:
    """The tone is not an item of the model, so nothing is truncated."""
    greeted.caller_turn()
    greeted.fire(Timer.LONG_WAIT)
    greeted.caller_turn("u2")
    assert not [event for event in greeted.effects if "truncate" in str(event)]
    assert _waits(greeted) == 3000


def test_tool_takes_long(greeted: Dialogue) -> None:
    """The wait for a tool begins when the agent's words before it have been heard."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.says("r1", "i1", 500, "One moment.")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.done("r1")
    assert Timer.LONG_WAIT not in greeted.running
    greeted.echo_all()
    assert _waits(greeted) == 3000


def test_pause_before_a_retry(greeted: Dialogue) -> None:
    """The pause is part of the wait."""
    greeted.caller_turn()
    due = greeted.running[Timer.LONG_WAIT]
    greeted.created("r1")
    greeted.done("r1", "failed", "server_error")
    assert greeted.running[Timer.LONG_WAIT] == due


def test_model_is_lost_meanwhile(greeted: Dialogue) -> None:
    """After a loss the tone comes sooner; when the session is restored, the wait keeps its start."""
    greeted.caller_turn()
    due = greeted.running[Timer.LONG_WAIT]
    greeted.now += 100
    greeted.feed(ModelLost("model_closed: 1001"))
    assert greeted.running[Timer.DEAD_AIR] - greeted.now == 1500
    greeted.fire(Timer.RECONNECT)
    greeted.created("r1", answers=only(requests(greeted.ready())))
    assert Timer.DEAD_AIR not in greeted.running
    assert greeted.running[Timer.LONG_WAIT] == due
