"""Transcript entries count as the caller heard them: whole, cut off, or not at all."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.chaos.memory import turns_told
from local.model.wire import Recorded

LATER = 10.0


@dataclass
class Recording:
    """A session that was ready at once, and received audio until later."""

    sent: list[Recorded] = field(default_factory=lambda: [Recorded({"type": "session.updated"}, 0.0)])
    received: list[Recorded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.received.append(Recorded({"type": "input_audio_buffer.append"}, LATER))

    def says(self, item_id: str, words: str, at: float = 1.0) -> None:
        """Adds words of the agent."""
        self._send("response.output_audio_transcript.done", item_id, words, at)

    def hears(self, item_id: str, words: str, at: float = 1.0) -> None:
        """Adds words of the caller."""
        self._send("conversation.item.input_audio_transcription.completed", item_id, words, at)

    def _send(self, kind: str, item_id: str, words: str, at: float) -> None:
        self.sent.append(Recorded({"type": kind, "item_id": item_id, "transcript": words}, at))

    def is_told(self, *texts: str) -> "Recording":
        """Adds what the session was told of the conversation before it."""
        self._receive({"type": "conversation.item.create", "item": _message(text)} for text in texts)
        return self

    def truncates(self, item_id: str) -> None:
        """Adds the truncation of an item."""
        self._receive([{"type": "conversation.item.truncate", "item_id": item_id}])

    def _receive(self, events: Iterable[dict[str, Any]]) -> None:
        self.received[:0] = [Recorded(event, LATER) for event in events]


def _message(text: str) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "input_text", "text": text}]}


@pytest.fixture
def first() -> Recording:
    """A session in which three things were said."""
    recording = Recording()
    recording.says("i1", "Hello.")
    recording.hears("i2", "900")
    recording.says("i3", "You said 900.")
    return recording


def test_all_is_told(first: Recording) -> None:
    """One pair for the one session after the first."""
    assert list(turns_told([first, Recording().is_told("Hello.", "900", "You said 900.")])) == [(3, 3)]


def test_a_turn_is_forgotten(first: Recording) -> None:
    """Another entry that contains its words does not count, nor does a note."""
    assert list(turns_told([first, Recording().is_told("Hello.", "You said 900.", "900 and more")])) == [(3, 2)]


def test_one_of_two_alike_is_forgotten(first: Recording) -> None:
    """Words that were said twice must be told twice."""
    first.hears("i4", "900")
    assert list(turns_told([first, Recording().is_told("Hello.", "900", "You said 900.")])) == [(4, 3)]


def test_a_turn_that_was_cut_off(first: Recording) -> None:
    """Only its beginning was heard, and counts."""
    first.truncates("i3")
    assert list(turns_told([first, Recording().is_told("Hello.", "900", "You…")])) == [(3, 3)]


def test_a_turn_of_which_nothing_was_heard(first: Recording) -> None:
    """It does not count."""
    first.truncates("i3")
    assert list(turns_told([first, Recording().is_told("Hello.", "900")])) == [(2, 2)]


def test_another_turn_that_was_cut_off(first: Recording) -> None:
    """Other words do not count for an entry, cut off or not."""
    assert list(turns_told([first, Recording().is_told("Hello.", "900", "Once upon…")])) == [(3, 2)]


def test_the_last_moment(first: Recording) -> None:
    """A killed worker had no time to store it, so it does not count."""
    first.says("i4", "Bye.", at=LATER - 0.1)
    assert list(turns_told([first, Recording().is_told("Hello.", "900", "You said 900.")])) == [(3, 3)]


def test_three_sessions(first: Recording) -> None:
    """The last must know what was said in both before it; a session that was never configured does not count."""
    second = Recording().is_told("Hello.", "900", "You said 900.")
    second.hears("i9", "1000")
    never = Recording(sent=[])
    assert list(turns_told([first, never, second, Recording().is_told("Hello.", "1000")])) == [(3, 3), (4, 2)]
