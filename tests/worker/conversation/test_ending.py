"""How calls end: with a goodbye that is heard, after a silence, at the time limit."""

from shared.calls.ending import CallEnd
from tests.worker.dialogue import (
    Dialogue,
    of_type,
    only,
    requests,
)
from worker.conversation.effects import (
    HangUp,
    Timer,
)
from worker.twilio.media_stream import Stop


def test_goodbye_is_heard_before_the_stream_closes(greeted: Dialogue) -> None:
    """`end_call` requests a goodbye; the stream closes only when its last mark is echoed."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "end_call")
    request = only(requests(greeted.done("r1")))
    assert "goodbye" in request["response"]["instructions"]
    greeted.created("r2", answers=request)
    greeted.says("r2", "bye", 800)
    assert not of_type(greeted.done("r2"), HangUp)
    end = only(of_type(greeted.echo_all(), HangUp))
    assert (end.ended, end.reason) == (CallEnd.AGENT_HUNG_UP, "agent_ended_call")


def test_goodbye_said_together_with_end_call(greeted: Dialogue) -> None:
    """A response that says goodbye and calls `end_call` needs no second goodbye."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.says("r1", "bye", 800)
    greeted.calls("r1", "c1", "end_call")
    assert not requests(greeted.done("r1"))
    assert of_type(greeted.echo_all(), HangUp)


def test_caller_cancels_the_goodbye(greeted: Dialogue) -> None:
    """If the caller speaks during the goodbye, the call continues."""
    greeted.caller_turn()
    greeted.created("r1")
    greeted.calls("r1", "c1", "end_call")
    request = only(requests(greeted.done("r1")))
    greeted.created("r2", answers=request)
    greeted.says("r2", "bye", 800)
    greeted.caller_speaks("u2")
    greeted.done("r2", "cancelled")
    assert not of_type(greeted.echo_all(), HangUp)
    assert Timer.FAREWELL not in greeted.running


def test_goodbye_that_gets_stuck(greeted: Dialogue) -> None:
    """A goodbye that is never heard ends with a time-out."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "end_call")
    assert of_type(greeted.fire(Timer.FAREWELL), HangUp)


def test_silence(greeted: Dialogue) -> None:
    """After a silence the agent asks once, then says goodbye and ends the call."""
    request = only(requests(greeted.fire(Timer.SILENCE)))
    assert "still there" in request["response"]["instructions"]
    greeted.created("r1", answers=request)
    greeted.says("r1", "i1", 500)
    greeted.done("r1")
    greeted.echo_all()
    request = only(requests(greeted.fire(Timer.SILENCE)))
    assert "goodbye" in request["response"]["instructions"]
    greeted.created("r2", answers=request)
    greeted.says("r2", "i2", 500)
    greeted.done("r2")
    assert only(of_type(greeted.echo_all(), HangUp)).reason == "silence"


def test_no_silence_while_somebody_speaks(greeted: Dialogue) -> None:
    """The silence is measured from the end of the agent's audio at the phone."""
    assert Timer.SILENCE in greeted.running
    greeted.caller_turn()
    assert Timer.SILENCE not in greeted.running
    greeted.created("r1")
    greeted.says("r1", "i1", 5000)
    greeted.done("r1")
    assert Timer.SILENCE not in greeted.running
    greeted.echo_all()
    assert Timer.SILENCE in greeted.running


def test_maximum_length(greeted: Dialogue) -> None:
    """The caller is warned near the maximum length; then the call ends, even if the caller keeps talking."""
    request = only(requests(greeted.fire(Timer.WARNING)))
    greeted.created("r1", answers=request)
    greeted.says("r1", "i1", 500)
    greeted.done("r1")
    greeted.echo_all()
    request = only(requests(greeted.fire(Timer.TIME_LIMIT)))
    greeted.created("r2", answers=request)
    greeted.says("r2", "i2", 500)
    greeted.caller_speaks()
    assert only(of_type(greeted.done("r2", "cancelled"), HangUp)).reason == "time_limit"


def test_caller_hangs_up(greeted: Dialogue) -> None:
    """`stop` ends the call as hung up by the caller."""
    assert only(of_type(greeted.feed(Stop()), HangUp)).ended is CallEnd.CALLER_HUNG_UP
