"""What the caller has really heard of the agent's audio.

The model makes audio faster than real time, so most of an answer waits in Twilio's queue. Only the echo of a mark
proves that what was sent before it has been played; between two echoes the next chunk plays in real time. `clear`
echoes the marks it drops as well, so every mark names the generation it belongs to and echoes of older ones count
for nothing.
"""

from collections import deque
from dataclasses import dataclass

import msgspec

from worker.audio import BYTES_PER_MS, payload_bytes
from worker.conversation.effects import ClearPlayback, EffectQueue, PlayAudio, SendMark
from worker.conversation.hold_tone import HOLD_TONE
from worker.conversation.transcript import Transcript
from worker.engines.realtime.events import AudioDelta


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
            playing = min(int(playing_ms * BYTES_PER_MS), self._chunk_playing(item_id))
            heard = self._heard.get(item_id, 0) + playing
            cuts.append(Cut(item_id, heard // BYTES_PER_MS, self._sent[item_id] // BYTES_PER_MS))
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
        heard_ms = self._interrupted.get(item_id, 0) // BYTES_PER_MS
        return Cut(item_id, heard_ms, heard_ms)

    def _chunk_playing(self, item_id: str) -> int:
        head = self._queue[0]
        return head.size if head.item_id == item_id else 0


class AgentAudio:
    """Plays audio with marks between, and takes back what an interruption left unheard."""

    def __init__(self, effects: EffectQueue, transcript: Transcript) -> None:
        self._effects = effects
        self._transcript = transcript
        self._playback = Playback()
        self._session_items: set[str] = set()  # those that the present session knows

    @property
    def silent(self) -> bool:
        """The caller has heard all there is to hear."""
        return self._playback.drained

    def play(self, delta: AudioDelta) -> str | None:
        """Sends a delta on to the phone: the mark that shows that it begins to be heard; None if there is no audio."""
        size = payload_bytes(delta.delta)
        if size == 0:
            return None
        self._session_items.add(delta.item_id)
        return self._send(delta.delta, delta.item_id, size)

    def play_hold_tone(self) -> None:
        """Something to hear while the model is away or takes long: the line is not dead."""
        self._send(HOLD_TONE, "hold_tone", payload_bytes(HOLD_TONE))

    def _send(self, payload: msgspec.Raw, item_id: str, size: int) -> str:
        if mark := self._playback.start():
            self._effects.put(SendMark(mark))
        begins = self._playback.last
        self._effects.put(PlayAudio(payload))
        self._effects.put(SendMark(self._playback.sent(item_id, size)))
        return begins

    def drop(self, delta: AudioDelta) -> None:
        """Audio that comes after its response was interrupted: nobody will hear it, so the model has not said it."""
        self._session_items.add(delta.item_id)
        if cut := self._playback.late(delta.item_id):
            self._truncate(cut)

    def heard(self, mark: str, now: float) -> bool:
        """Notes the echo of a mark; False if what was sent before it was dropped."""
        return self._playback.echoed(mark, now)

    def interrupt(self, now: float) -> bool:
        """Falls silent at once: Twilio's queue is cleared, each unheard item cut; False if nothing was playing."""
        if self._playback.drained:
            self._playback.interrupt(now)
            return False
        self._effects.put(ClearPlayback())
        for cut in self._playback.interrupt(now):
            self._truncate(cut)
        return True

    def session_lost(self) -> None:
        """What was sent plays on; only there is no session any more that could be told how much of it was heard."""
        self._session_items.clear()

    def _truncate(self, cut: Cut) -> None:
        self._transcript.cut(cut.item_id, cut.heard_ms, cut.sent_ms)
        if cut.item_id not in self._session_items:
            return
        self._effects.to_model(
            {
                "type": "conversation.item.truncate",
                "item_id": cut.item_id,
                "content_index": 0,
                "audio_end_ms": cut.heard_ms,
            }
        )
