"""The transcript and the usage of a call; and audio passes unchanged."""

from tests.worker.dialogue import (
    Dialogue,
    audio,
    of_type,
    only,
    played_ms,
)
from worker.conversation.effects import (
    PlayAudio,
    SendMark,
)
from worker.engines.realtime import events
from worker.engines.realtime.events import Item


def test_transcript_is_cut_where_the_caller_interrupted(greeted: Dialogue) -> None:
    """The transcript has both sides in order, and only the words of the agent that the caller heard."""
    greeted.caller_turn("u1")
    greeted.created("r1")
    greeted.feed(events.OutputItemAdded("r1", Item("i1", "message")))
    begin, _ = of_type(greeted.says("r1", "i1", 4000, "one two three four five six seven eight"), SendMark)
    greeted.echo(begin.name)
    greeted.now += 2000
    greeted.caller_speaks("u2")
    greeted.feed(events.TranscriptDelta("r1", "i1", " nine"))
    greeted.feed(events.TranscriptionCompleted("u1", "Count to eight"))
    turns = [(turn.role, turn.text) for turn in greeted.call.transcript.turns()]
    assert turns == [("agent", "Hello!"), ("caller", "Count to eight"), ("agent", "one two three four…")]


def test_usage_is_summed(greeted: Dialogue) -> None:
    """Tokens of every response count, also of cancelled ones."""
    usage = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"audio_tokens": 10}}
    for response_id in ("r1", "r2"):
        greeted.created(response_id)
        greeted.feed(events.ResponseDone(events.Response(response_id, "cancelled", usage=usage)))
    assert greeted.call.usage.tokens()["audio_in"] == 20


def test_audio_passes_untouched(greeted: Dialogue) -> None:
    """The model's payload goes to the phone as the same object."""
    greeted.created("r1")
    payload = audio(200)
    effects = greeted.feed(events.AudioDelta("r1", "i1", payload))
    assert only(of_type(effects, PlayAudio)).payload is payload
    assert played_ms(effects) == 200
