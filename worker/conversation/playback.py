"""What the caller has really heard of the agent's audio.

The model makes audio faster than real time, so most of an answer waits in Twilio's queue. Only the echo of a mark
proves that what was sent before it has been played; between two echoes the next chunk plays in real time. `clear`
echoes the marks it drops as well, so every mark names the generation it belongs to and echoes of older ones count
for nothing.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

# mu-law at 8 kHz
_BYTES_PER_MS: Final = 8


@dataclass(slots=True)
class _Chunk:
    mark: str
    item_id: str
    size: int  # bytes; 0 for the mark that shows when playing begins


@dataclass(frozen=True, slots=True)
class Cut:
    """An item of which the caller heard only the beginning."""

    item_id: str
    heard_ms: int
    sent_ms: int


class Playback:
    """Follows every chunk from sent to heard. `now` is in ms, on any clock that only goes forward."""

    def __init__(self) -> None:
        self._generation = 0
        self._marks = 0
        self._queue: deque[_Chunk] = deque()
        self._sent: dict[str, int] = {}  # bytes by item, since the last interruption
        self._heard: dict[str, int] = {}
        self._interrupted: dict[str, int] = {}  # bytes heard by item, of items that earlier interruptions ended
        self._cut: set[str] = set()
        self._proved_at: float | None = None  # when an echo last showed how far playing had come

    @property
    def drained(self) -> bool:
        """All that was sent has been heard, or was dropped."""
        return not self._queue

    def start(self) -> str | None:
        """The mark to send ahead of a chunk when nothing is playing: Twilio echoes it as the chunk begins."""
        return None if self._queue else self._enqueue("", 0)

    @property
    def last(self) -> str:
        """The mark behind all that was sent; its echo shows that what is sent next begins."""
        return self._queue[-1].mark

    def sent(self, item_id: str, size: int) -> str:
        """Notes `size` bytes of an item as sent; gives the mark to send behind them."""
        self._sent[item_id] = self._sent.get(item_id, 0) + size
        return self._enqueue(item_id, size)

    def _enqueue(self, item_id: str, size: int) -> str:
        self._marks += 1
        mark = f"{self._generation}:{self._marks}"
        self._queue.append(_Chunk(mark, item_id, size))
        return mark

    def echoed(self, mark: str, now: float) -> bool:
        """Notes the echo of a mark: all before it was played. Echoes of older generations are nothing: False."""
        if not any(chunk.mark == mark for chunk in self._queue):
            return False
        self._proved_at = now
        while self._queue:
            chunk = self._queue.popleft()
            self._heard[chunk.item_id] = self._heard.get(chunk.item_id, 0) + chunk.size
            if chunk.mark == mark:
                break
        return True

    def interrupt(self, now: float) -> list[Cut]:
        """Drops all that is queued, as `clear` does at Twilio; gives the items that were not heard to their end."""
        cuts = []
        playing_ms = 0.0 if self._proved_at is None else max(0.0, now - self._proved_at)
        for item_id in dict.fromkeys(chunk.item_id for chunk in self._queue if chunk.size):
            # A chunk plays no further than its own end before its mark comes back, whatever the clock says.
            playing = min(int(playing_ms * _BYTES_PER_MS), self._chunk_playing(item_id))
            heard = self._heard.get(item_id, 0) + playing
            cuts.append(Cut(item_id, heard // _BYTES_PER_MS, self._sent[item_id] // _BYTES_PER_MS))
        self._cut.update(cut.item_id for cut in cuts)
        self._interrupted.update(self._heard)
        self._generation += 1
        self._queue.clear()
        self._sent.clear()
        self._heard.clear()
        return cuts

    def late(self, item_id: str) -> Cut | None:
        """An interrupted item is longer than what was sent of it: gives its cut, unless it has one already."""
        if item_id in self._cut:
            return None
        self._cut.add(item_id)
        heard_ms = self._interrupted.get(item_id, 0) // _BYTES_PER_MS
        return Cut(item_id, heard_ms, heard_ms)

    def _chunk_playing(self, item_id: str) -> int:
        head = self._queue[0]
        return head.size if head.item_id == item_id else 0
