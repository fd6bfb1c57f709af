"""The transcript of what both sides said and heard."""

from datetime import UTC, datetime, timedelta

from worker.conversation.transcript import Transcript

STARTED_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_order_of_appearance() -> None:
    """A late transcription goes to the place where its item appeared."""
    transcript = Transcript(STARTED_AT)
    transcript.open("u1", "caller", 1000)
    transcript.agent_says("a1", "Always ", 2000)
    transcript.agent_says("a1", "open.", 2100)
    transcript.caller_said("u1", " When are you open? ", 3000)
    turns = transcript.turns()
    assert [(turn.role, turn.text) for turn in turns] == [("caller", "When are you open?"), ("agent", "Always open.")]
    assert turns[0].at == STARTED_AT + timedelta(seconds=1)


def test_cut_at_a_word() -> None:
    """Half of the audio counts as half of the words; no word is cut."""
    for heard_ms, text in [(0, None), (500, "one…"), (1000, "one two…"), (2000, "one two three four…")]:
        transcript = Transcript(STARTED_AT)
        transcript.agent_says("a1", "one two three four", 0)
        transcript.cut("a1", heard_ms, 2000)
        transcript.agent_says("a1", " five", 0)
        assert [turn.text for turn in transcript.turns()] == ([text] if text else [])


def test_cut_of_nothing() -> None:
    """Cutting an item without words, or an unknown item, does nothing."""
    transcript = Transcript(STARTED_AT)
    transcript.open("a1", "agent", 0)
    transcript.cut("a1", 0, 0)
    transcript.cut("unknown", 5, 10)
    assert transcript.turns() == []


def test_last_entries() -> None:
    """Returns at most the given number, the newest ones."""
    transcript = Transcript(STARTED_AT)
    for number in range(5):
        transcript.caller_said(f"u{number}", str(number), number)
    assert [turn.text for turn in transcript.turns(2)] == ["3", "4"]


def test_length_limit() -> None:
    """Long texts are cut: the table would refuse them, and with them other calls' entries of the same batch."""
    transcript = Transcript(STARTED_AT)
    transcript.caller_said("u1", "a" * 10**6, 0)
    for _ in range(100):
        transcript.agent_says("a1", "b" * 10**4, 0)
    transcript.agent_finished()
    transcript.note("c" * 10**6, 0)
    assert {len(turn.text) for _, turn in transcript.take_changes()} == {20_000}
    assert {len(turn.text) for turn in transcript.turns()} == {20_000}
