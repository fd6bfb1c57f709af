"""What both sides said and what tools gave, in the order of the conversation.

Of the agent's words only those that the caller heard. It outlives the model's session: a new one is told what is here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.escalation import Turn

Role = Literal["caller", "agent", "tool"]


@dataclass(slots=True)
class _Entry:
    role: Role
    at: datetime
    text: str = ""
    closed: bool = False  # cut, so that later words of it are not what the caller heard


class Transcript:
    """Entries stand in the order in which their items appeared; their text may come later, and in any order."""

    def __init__(self, started_at: datetime) -> None:
        self._started_at = started_at
        self._entries: dict[str, _Entry] = {}

    def open(self, item_id: str, role: Literal["caller", "agent"], now: float) -> None:
        """Keeps an item's place; `now` is in ms since the call started."""
        if item_id and item_id not in self._entries:
            self._entries[item_id] = _Entry(role, self._at(now))

    def _at(self, now: float) -> datetime:
        return self._started_at + timedelta(milliseconds=now)

    def caller_said(self, item_id: str, text: str, now: float) -> None:
        self.open(item_id, "caller", now)
        self._entries[item_id].text = text.strip()

    def agent_says(self, item_id: str, words: str, now: float) -> None:
        """Appends words of an item as the model makes them, which is well before they are heard."""
        self.open(item_id, "agent", now)
        entry = self._entries[item_id]
        if not entry.closed:
            entry.text += words

    def cut(self, item_id: str, heard_ms: int, sent_ms: int) -> None:
        """Shortens an item to the share of it that was heard, at a word's end.

        The API gives no timing of words, so they are taken as evenly spread over the audio that was sent.
        """
        entry = self._entries.get(item_id)
        if entry is None or entry.closed:
            return
        entry.closed = True
        length = len(entry.text) * heard_ms // sent_ms if sent_ms else 0
        heard = entry.text[:length]
        if length < len(entry.text) and not entry.text[length].isspace():
            heard = heard.rpartition(" ")[0]
        entry.text = f"{heard.rstrip()}…" if heard.strip() else ""

    def note(self, text: str, now: float) -> None:
        """Keeps what a tool gave. People are not told of it; a new session of the model is."""
        self._entries[f"note_{len(self._entries)}"] = _Entry("tool", self._at(now), text, closed=True)

    @property
    def last_words(self) -> str:
        """What the agent said last."""
        return next((entry.text for entry in reversed(self._entries.values()) if entry.role == "agent"), "")

    def history(self, last: int) -> list[tuple[Role, str]]:
        """The `last` things that were said or noted, oldest first."""
        said = [(entry.role, entry.text.strip()) for entry in self._entries.values() if entry.text.strip()]
        return said[-last:]

    def turns(self, last: int | None = None) -> list[Turn]:
        """The turns that have words, oldest first; at most the `last` ones."""
        turns = [
            Turn(role=entry.role, text=entry.text.strip(), at=entry.at)
            for entry in self._entries.values()
            if entry.role != "tool" and entry.text.strip()
        ]
        return turns if last is None else turns[-last:]
