"""Compares what a new model session was told of the conversation so far with what the sessions before it heard."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

from local.model.wire import Recorded

# Words of the last moment may be lost with a worker that had no time to store them.
_WRITTEN_WITHIN_S: Final = 0.5
_SAID: Final = {"response.output_audio_transcript.done", "conversation.item.input_audio_transcription.completed"}
_CUT_OFF: Final = "…"


class Recording(Protocol):
    """One session's events."""

    @property
    def sent(self) -> Sequence[Recorded]:
        """Events from the model."""

    @property
    def received(self) -> Sequence[Recorded]:
        """Events from the worker."""


def turns_told(sessions: Sequence[Recording]) -> Iterator[tuple[int, int]]:
    """For each session after a call's first: the number of transcript entries before it, and how many it was told."""
    turns: list[tuple[str, str]] = []  # the item and the words of each transcript entry
    truncated: set[object] = set()
    sessions = [each for each in sessions if any(sent.event["type"] == "session.updated" for sent in each.sent)]
    for before, after in pairwise(sessions):
        by = before.received[-1].at - _WRITTEN_WITHIN_S  # audio was received until the end
        turns += [_turn(sent) for sent in before.sent if sent.event["type"] in _SAID and sent.at < by]
        truncated |= {event["item_id"] for event in _received(before, "conversation.item.truncate")}
        items = [event["item"] for event in _received(after, "conversation.item.create")]
        told = [item["content"][0]["text"] for item in items if item["type"] == "message"]
        remembered = [_take(words, told) for _, words in turns]
        # A truncated item that was not passed on was not heard at all, so it does not count.
        unsaid = sum(item in truncated for (item, _), known in zip(turns, remembered, strict=True) if not known)
        yield len(turns) - unsaid, sum(remembered)


def _turn(sent: Recorded) -> tuple[str, str]:
    return str(sent.event["item_id"]), str(sent.event["transcript"]).strip()


def _received(session: Recording, kind: str) -> Iterator[Mapping[str, Any]]:
    return (entry.event for entry in session.received if entry.event["type"] == kind)


def _take(words: str, told: list[str]) -> bool:
    """Removes an entry, or its beginning if it was cut off, from `told`; False if it is not there."""
    cut = (text for text in told if text.endswith(_CUT_OFF) and words.startswith(text.removesuffix(_CUT_OFF)))
    found = words if words in told else next(cut, None)
    if found is not None:
        told.remove(found)
    return found is not None
