"""A call that moves to or from another worker."""

import pytest

from shared.calls.ending import CallEnd
from shared.calls.transcript import TranscriptEntry
from tests.worker.dialogue import (
    STARTED_AT,
    Dialogue,
    of_type,
    only,
    requests,
    to_model,
)
from worker.conversation.effects import (
    EscalationSent,
    HangUp,
    SendEscalation,
    SendMark,
    StreamLost,
    WriteTranscript,
)
from worker.conversation.resumption import ResumedCall
from worker.conversation.transcript import sent_after_all, tool_outcome
from worker.engines.realtime import events


def test_call_is_resumed() -> None:
    """The session gets the transcript, there is no greeting, and the revisions of escalations continue."""
    turn = TranscriptEntry(role="agent", text="At noon.", at=STARTED_AT)
    note = TranscriptEntry(
        role="tool", text='You called escalate_to_human({"reason": "x"}). It gave: sent', at=STARTED_AT
    )
    dialogue = Dialogue(past=ResumedCall({3: turn, 7: note}, apologise=True))
    effects = dialogue.ready()
    assert [event["item"]["role"] for event in to_model(effects, "conversation.item.create")] == ["assistant", "system"]
    instructions = only(requests(effects))["response"]["instructions"]
    assert "Apologise" in instructions
    assert "At noon." in instructions
    assert "Hello!" not in instructions
    dialogue.created("r1")
    effects = dialogue.calls("r1", "c1", "escalate_to_human", '{"reason": "a person", "summary": "again"}')
    assert only(of_type(effects, SendEscalation)).escalation.revision == 2
    written = only(of_type(dialogue.feed(EscalationSent("c1")), WriteTranscript)).turns
    assert [place for place, _ in written] == [8]


def _noted(*notes: str) -> ResumedCall:
    return ResumedCall(
        {n: TranscriptEntry(role="tool", text=text, at=STARTED_AT) for n, text in enumerate(notes)}, apologise=False
    )


def test_earlier_escalations_are_counted() -> None:
    """New escalations that were sent, at once or by a retry; neither updates nor messages of other tools."""
    sent, asked = '{"status": "sent", "note": "n"}', 'escalate_to_human({"reason": "x"})'
    assert _noted(tool_outcome(asked, sent), sent_after_all(sent)).escalations_sent == 2
    assert not _noted(tool_outcome(asked, '{"status": "updated"}')).escalations_sent
    assert not _noted(tool_outcome("send_text({})", sent)).escalations_sent
    assert not _noted(tool_outcome(f"escalate_to_human({sent})", '{"error": "not sent"}')).escalations_sent


def test_entries_are_written_when_they_are_complete(greeted: Dialogue) -> None:
    """Each entry is written once when it is complete, and again if the caller interrupts it."""
    greeted.effects.clear()
    greeted.caller_turn("u1")
    greeted.feed(events.TranscriptionCompleted("u1", "Count"))
    greeted.created("r1")
    greeted.says("r1", "i1", 4000, "one two three four")
    assert [turn.text for keep in of_type(greeted.effects, WriteTranscript) for _, turn in keep.turns] == ["Count"]
    ((place, turn),) = only(of_type(greeted.done("r1"), WriteTranscript)).turns
    assert turn.text == "one two three four"
    assert only(of_type(greeted.caller_speaks("u2"), WriteTranscript)).turns[0][0] == place


def test_an_unfinished_entry_is_written_as_far_as_it_was_heard(greeted: Dialogue) -> None:
    """If the call moves in the middle of a sentence, only the words that the caller heard are written."""
    greeted.caller_turn("u1")
    greeted.created("r1")
    begin, _ = of_type(greeted.says("r1", "i1", 4000, "one two three four five six seven eight"), SendMark)
    greeted.echo(begin.name)
    greeted.now += 2000
    effects = greeted.feed(StreamLost("worker_stopping"))
    (_, turn) = only(of_type(effects, WriteTranscript)).turns[-1]
    assert turn.text == "one two three four…"
    assert only(to_model(effects, "conversation.item.truncate"))["audio_end_ms"] == 2000
    assert isinstance(effects[-1], HangUp)


def test_a_finished_entry_is_written_again_if_it_was_not_heard(greeted: Dialogue) -> None:
    """The whole sentence was written when the model finished it, long before the caller could hear it."""
    greeted.caller_turn("u1")
    greeted.created("r1")
    greeted.says("r1", "i1", 4000, "one two three four five six seven eight")
    ((place, _),) = only(of_type(greeted.done("r1"), WriteTranscript)).turns
    (kept,) = only(of_type(greeted.feed(StreamLost("worker_stopping")), WriteTranscript)).turns
    assert (kept[0], kept[1].text) == (place, "")


@pytest.mark.parametrize(("foreign", "ended"), [(False, CallEnd.MOVED), (True, CallEnd.FAILED)])
def test_stream_lost(greeted: Dialogue, foreign: bool, ended: CallEnd) -> None:
    """After its stream is lost a call may continue at another worker, unless the stream was not Twilio's."""
    assert only(of_type(greeted.feed(StreamLost("stream_quiet", foreign)), HangUp)).ended is ended
