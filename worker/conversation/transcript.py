"""What both sides said and what tools returned, in the order of the conversation.

It has only those words of the agent that the caller heard. It outlives the model's session: a new session is restored
from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

from shared.agents.tool_names import ESCALATE_TO_HUMAN
from shared.calls.transcript import TranscriptEntry

Role = Literal["caller", "agent", "tool"]

# Half an hour of speech. The table refuses items over 400 KB, and with them the whole batch with other calls' entries.
_MOST_CHARACTERS: Final = 20_000

SENT: Final = "sent"  # the status in the output of an escalation that the queue has accepted

_SENT_AFTER_ALL: Final = "The request for a person that could not be sent has been sent now:"
_GAVE: Final = ". It gave: "
_NOTE_CHARACTERS: Final = 2_000


@dataclass(slots=True)
class _Entry:
    role: Role
    at: datetime
    text: str = ""
    closed: bool = False  # cut: the caller did not hear any later words of it
    said: bool = False  # the model has finished it; its audio may still be playing

    def as_turn(self) -> TranscriptEntry:
        return TranscriptEntry(role=self.role, text=self.text.strip(), at=self.at)


class Transcript:
    """Entries are in the order in which their items appeared; their texts may come later and in any order."""

    def __init__(self, started_at: datetime, kept: Mapping[int, TranscriptEntry] = MappingProxyType({})) -> None:
        self._started_at = started_at
        self._entries: dict[str, _Entry] = {
            f"past_{place}": _Entry(_role(turn), turn.at, turn.text, closed=True, said=True)
            for place, turn in kept.items()
        }
        self._changed: set[str] = set()  # since the last `take_changes`
        # Entries without words are not stored, so places can have gaps; new entries come after all of them.
        self._first_place = max(kept, default=-1) + 1 - len(kept)

    def open(self, item_id: str, role: Literal["caller", "agent"], now: float) -> None:
        """Adds an item, still without text; `now` is in ms since the call started."""
        if item_id and item_id not in self._entries:
            self._entries[item_id] = _Entry(role, self.at(now))

    def at(self, now: float) -> datetime:
        """The time of day `now` ms after the call started."""
        return self._started_at + timedelta(milliseconds=now)

    def caller_said(self, item_id: str, text: str, now: float) -> None:
        self.open(item_id, "caller", now)
        self._entries[item_id].text = text.strip()[:_MOST_CHARACTERS]
        self._changed.add(item_id)

    def agent_says(self, item_id: str, words: str, now: float) -> None:
        """Appends words to an item when the model produces them, which is before the caller hears them."""
        self.open(item_id, "agent", now)
        entry = self._entries[item_id]
        if not entry.closed:
            entry.text = (entry.text + words)[:_MOST_CHARACTERS]

    def cut(self, item_id: str, heard_ms: int, sent_ms: int) -> None:
        """Shortens an item to the part that the caller heard, at the end of a word.

        The API gives no timing of words, so we assume that they are spread evenly over the audio that was sent.
        """
        entry = self._entries.get(item_id)
        if entry is None or entry.closed:
            return
        entry.closed = True
        self._changed.add(item_id)
        length = len(entry.text) * heard_ms // sent_ms if sent_ms else 0
        heard = entry.text[:length]
        if length < len(entry.text) and not entry.text[length].isspace():
            heard = heard.rpartition(" ")[0]
        entry.text = f"{heard.rstrip()}…" if heard.strip() else ""

    def note(self, text: str, now: float) -> None:
        """Adds a note, such as a tool's result. It goes to a new session of the model, but not to people on call."""
        item_id = f"note_{len(self._entries)}"
        self._entries[item_id] = _Entry("tool", self.at(now), text[:_MOST_CHARACTERS], closed=True)
        self._changed.add(item_id)

    def agent_finished(self) -> None:
        """Marks the agent's entries as complete: its response is over."""
        for item_id, entry in self._entries.items():
            if entry.role == "agent" and not entry.said:
                entry.said = True
                self._changed.add(item_id)

    def take_changes(self) -> tuple[tuple[int, TranscriptEntry], ...]:
        """The entries added or changed since the last time, each with its place in the conversation."""
        if not self._changed:
            return ()
        changed, self._changed = self._changed, set()
        places = enumerate(self._entries.items(), self._first_place)
        return tuple((place, entry.as_turn()) for place, (item_id, entry) in places if item_id in changed)

    @property
    def last_words(self) -> str:
        """The agent's last entry."""
        return next((entry.text for entry in reversed(self._entries.values()) if entry.role == "agent"), "")

    def history(self, last: int) -> list[tuple[Role, str]]:
        """The last entries with their roles, notes included, oldest first; at most `last`."""
        said = [(entry.role, entry.text.strip()) for entry in self._entries.values() if entry.text.strip()]
        return said[-last:]

    def turns(self, last: int | None = None) -> list[TranscriptEntry]:
        """The entries of caller and agent that have words, oldest first; at most the `last` ones."""
        turns = [entry.as_turn() for entry in self._entries.values() if entry.role != "tool" and entry.text.strip()]
        return turns if last is None else turns[-last:]


def _role(turn: TranscriptEntry) -> Role:
    return turn.role if turn.role in ("caller", "agent") else "tool"  # type: ignore[return-value]  # narrowed by `in`


# How a tool's call and output are noted


def tool_request(name: str, arguments: str) -> str:
    """A function call as text for a note; long arguments are cut."""
    return f"{name}({arguments[:_NOTE_CHARACTERS]})"


def tool_outcome(request: str, output: str) -> str:
    """A note of a function call (from `tool_request`) and its output; long outputs are cut."""
    return f"You called {request}{_GAVE}{output[:_NOTE_CHARACTERS]}"


def sent_after_all(output: str) -> str:
    """A note that a retry has sent an escalation. `output` is the tool's output."""
    return f"{_SENT_AFTER_ALL} {output}"


def tells_of_call(note: str, tool: str) -> bool:
    """Whether this note is about a call of this tool."""
    return note.startswith(f"You called {tool}(")


def tells_of_sending(note: str) -> bool:
    """Whether this note told the model that a new escalation was sent; an update to an open one does not count."""
    asked = note.startswith(_SENT_AFTER_ALL) or tells_of_call(note, ESCALATE_TO_HUMAN)
    # Only the end of the note: the arguments may contain the same words.
    return asked and f'"status": "{SENT}"' in note.rpartition(_GAVE)[2]
