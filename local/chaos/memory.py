"""What the model's sessions were told of the conversation before them, against what the sessions before them heard."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

from local.model.wire import Recorded

# What is said in the last moment may be lost with a worker that had no time to write it down.
_WRITTEN_WITHIN_S: Final = 0.5
_SAID: Final = {"response.output_audio_transcript.done", "conversation.item.input_audio_transcription.completed"}
_CUT_OFF: Final = "…"


class Recording(Protocol):
    """One session's events."""

    @property
    def sent(self) -> Sequence[Recorded]:
        """By the model."""

    @property
    def received(self) -> Sequence[Recorded]:
        """From the worker."""


def turns_told(sessions: Sequence[Recording]) -> Iterator[tuple[int, int]]:
    """For each session after a call's first: how many turns there were before it, and how many of them it was told."""
    turns: list[tuple[str, str]] = []  # each turn's item and its words
    truncated: set[object] = set()
    sessions = [each for each in sessions if any(sent.event["type"] == "session.updated" for sent in each.sent)]
    for before, after in pairwise(sessions):
        by = before.received[-1].at - _WRITTEN_WITHIN_S  # audio came to the end
        turns += [_turn(sent) for sent in before.sent if sent.event["type"] in _SAID and sent.at < by]
        truncated |= {event["item_id"] for event in _received(before, "conversation.item.truncate")}
        items = [event["item"] for event in _received(after, "conversation.item.create")]
        told = [item["content"][0]["text"] for item in items if item["type"] == "message"]
        remembered = [_take(words, told) for _, words in turns]
        # An item that was truncated and is not told has not been heard at all, and then it was not said.
        unsaid = sum(item in truncated for (item, _), known in zip(turns, remembered, strict=True) if not known)
        yield len(turns) - unsaid, sum(remembered)


def _turn(sent: Recorded) -> tuple[str, str]:
    return str(sent.event["item_id"]), str(sent.event["transcript"]).strip()


def _received(session: Recording, kind: str) -> Iterator[Mapping[str, Any]]:
    return (entry.event for entry in session.received if entry.event["type"] == kind)


def _take(words: str, told: list[str]) -> bool:
    """Whether a turn, or its beginning if it was cut off, is among those told; it is counted once."""
    cut = (text for text in told if text.endswith(_CUT_OFF) and words.startswith(text.removesuffix(_CUT_OFF)))
    found = words if words in told else next(cut, None)
    if found is not None:
        told.remove(found)
    return found is not None
