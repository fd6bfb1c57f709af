"""Barge-in: which items are truncated, and which are not."""

from tests.worker.dialogue import (
    Dialogue,
    of_type,
    only,
    requests,
    to_model,
    truncations,
)
from worker.conversation.effects import (
    ClearPlayback,
    PlayAudio,
    SendMark,
    ToolFinished,
)
from worker.engines.realtime import events


def test_barge_in_within_the_second_item(greeted: Dialogue) -> None:
    """Of items of 2 s and 4 s, interrupted just inside the second, the first stays whole, the second is cut."""
    greeted.created("r1")
    first = greeted.says("r1", "item1", 2000)
    second = greeted.says("r1", "item2", 4000)
    begin, end_of_first = of_type(first, SendMark)
    greeted.echo(begin.name)
    greeted.now += 2000
    greeted.echo(end_of_first.name)
    greeted.now += 150
    effects = greeted.caller_speaks()
    assert only(of_type(effects, ClearPlayback))
    assert truncations(effects) == {"item2": 150}
    assert len(of_type(second, PlayAudio)) == 1


def test_barge_in_after_the_response_is_done(greeted: Dialogue) -> None:
    """Audio that waits in Twilio's queue is cleared and truncated, though the model has finished."""
    greeted.created("r1")
    greeted.says("r1", "item1", 3000)
    greeted.done("r1")
    effects = greeted.caller_speaks()
    assert of_type(effects, ClearPlayback)
    assert truncations(effects) == {"item1": 0}


def test_late_deltas_are_dropped(greeted: Dialogue) -> None:
    """Audio that comes after the interruption is not played, and a new item is truncated at its start."""
    greeted.created("r1")
    greeted.says("r1", "item1", 1000)
    greeted.caller_speaks()
    late = greeted.says("r1", "item1", 1000)
    assert not of_type(late, PlayAudio)
    assert not truncations(late)
    assert truncations(greeted.says("r1", "item2", 1000)) == {"item2": 0}
    assert not greeted.says("r1", "item2", 1000)


def test_item_heard_to_its_end_and_continued_late(greeted: Dialogue) -> None:
    """An item that was heard in full until the interruption is truncated there when more of it arrives."""
    greeted.created("r1")
    for mark in of_type(greeted.says("r1", "item1", 1000), SendMark):
        greeted.echo(mark.name)
    assert not truncations(greeted.caller_speaks())
    assert truncations(greeted.says("r1", "item1", 500)) == {"item1": 1000}


def test_marks_echoed_by_clear_prove_nothing(greeted: Dialogue) -> None:
    """Twilio also echoes the marks that it drops; they belong to an older generation and are ignored."""
    greeted.created("r1")
    dropped = of_type(greeted.says("r1", "item1", 1000), SendMark)
    greeted.caller_speaks()
    greeted.done("r1", "cancelled")
    greeted.caller_turn()
    greeted.created("r2")
    greeted.says("r2", "item2", 1000)
    for mark in dropped:
        greeted.echo(mark.name)
    assert truncations(greeted.caller_speaks()) == {"item2": 0}


def test_nothing_to_interrupt(greeted: Dialogue) -> None:
    """A caller who speaks into silence causes neither clear nor truncation, and does not count as a barge-in."""
    effects = greeted.caller_speaks()
    assert not of_type(effects, ClearPlayback)
    assert not truncations(effects)
    assert greeted.call.caller.barge_ins == 0


def test_uninterruptible_agent() -> None:
    """Without `interrupt_response` the agent finishes; then the call itself requests the answer."""
    dialogue = Dialogue(turn_detection={"type": "server_vad", "interrupt_response": False})
    dialogue.greeted()
    dialogue.feed(events.SpeechStarted("u1"))
    dialogue.feed(events.SpeechStopped("u1"))
    request = only(requests(dialogue.feed(events.Committed("u1"))))
    dialogue.created("r1", answers=request)
    dialogue.says("r1", "item1", 1000)
    effects = dialogue.caller_turn("u2")
    assert not of_type(effects, ClearPlayback)
    assert not requests(effects)
    assert requests(dialogue.done("r1"))


def test_response_begun_while_the_caller_speaks(greeted: Dialogue) -> None:
    """A response requested before the caller spoke and begun after is cancelled: the server does not cancel it."""
    greeted.created("r1")
    greeted.calls("r1", "c1", "opening_hours")
    greeted.feed(ToolFinished("c1", "always"))
    request = only(requests(greeted.done("r1")))
    greeted.caller_speaks()
    effects = greeted.created("r2", answers=request)
    assert to_model(effects, "response.cancel") == [{"type": "response.cancel", "response_id": "r2"}]
    assert not of_type(greeted.says("r2", "item2", 500), PlayAudio)
