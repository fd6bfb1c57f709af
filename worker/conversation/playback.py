"""Tracks how much of the agent's audio the caller has heard.

The model produces audio faster than real time, so most of an answer waits in Twilio's queue. Only the echo of a mark
proves that the audio before it was played; between two echoes the next chunk plays in real time. After `clear`, Twilio
also echoes the marks that it dropped. So every mark contains a generation number, and echoes of older generations are
ignored.
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
    size: int  # bytes; 0 for the mark that shows when playback begins


@dataclass(frozen=True, slots=True)
class Cut:
    """An item of which the caller heard only the beginning."""

    item_id: str
    heard_ms: int
    sent_ms: int


class Playback:
    """Follows every chunk from sent to heard. `now` is in ms on a monotonic clock."""

    def __init__(self) -> None:
        self._generation = 0
        self._marks = 0
        self._queue: deque[_Chunk] = deque()
        self._sent: dict[str, int] = {}  # bytes by item, since the last interruption
        self._heard: dict[str, int] = {}
        self._interrupted: dict[str, int] = {}  # bytes heard by item, before earlier interruptions
        self._cut: set[str] = set()
        self._last_echo_at: float | None = None

    @property
    def drained(self) -> bool:
        """All audio that was sent has been heard or dropped."""
        return not self._queue

    def start(self) -> str | None:
        """The mark to send before a chunk, or None if audio is playing; Twilio echoes it when the chunk begins."""
        return None if self._queue else self._enqueue("", 0)

    @property
    def last(self) -> str:
        """The mark after all audio sent so far; its echo shows that the next audio begins to play."""
        return self._queue[-1].mark

    def sent(self, item_id: str, size: int) -> str:
        """Records `size` bytes of an item as sent; returns the mark to send after them."""
        self._sent[item_id] = self._sent.get(item_id, 0) + size
        return self._enqueue(item_id, size)

    def _enqueue(self, item_id: str, size: int) -> str:
        self._marks += 1
        mark = f"{self._generation}:{self._marks}"
        self._queue.append(_Chunk(mark, item_id, size))
        return mark

    def echoed(self, mark: str, now: float) -> bool:
        """Records a mark's echo: the audio before it was played. Returns False for a mark of an older generation."""
        if not any(chunk.mark == mark for chunk in self._queue):
            return False
        self._last_echo_at = now
        while self._queue:
            chunk = self._queue.popleft()
            self._heard[chunk.item_id] = self._heard.get(chunk.item_id, 0) + chunk.size
            if chunk.mark == mark:
                break
        return True

    def interrupt(self, now: float) -> list[Cut]:
        """Empties the queue, as `clear` does at Twilio; returns the items that were not heard in full."""
        cuts = []
        playing_ms = 0.0 if self._last_echo_at is None else max(0.0, now - self._last_echo_at)
        for item_id in dict.fromkeys(chunk.item_id for chunk in self._queue if chunk.size):
            # Until its mark is echoed, a chunk counts as played at most to its own end, whatever the clock says.
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
        """More audio of an item came after its interruption: returns its cut, or None if it was cut before."""
        if item_id in self._cut:
            return None
        self._cut.add(item_id)
        heard_ms = self._interrupted.get(item_id, 0) // BYTES_PER_MS
        return Cut(item_id, heard_ms, heard_ms)

    def _chunk_playing(self, item_id: str) -> int:
        head = self._queue[0]
        return head.size if head.item_id == item_id else 0


class AgentAudio:
    """Plays the agent's audio with marks after each chunk, and truncates items that an interruption left unheard."""

    def __init__(self, effects: EffectQueue, transcript: Transcript) -> None:
        self._effects = effects
        self._transcript = transcript
        self._playback = Playback()
        self._session_items: set[str] = set()  # item ids that the present session knows

    @property
    def silent(self) -> bool:
        """No audio is playing or queued at Twilio."""
        return self._playback.drained

    def play(self, delta: AudioDelta) -> str | None:
        """Plays a delta; returns the mark whose echo shows that it begins to play, or None if it has no audio."""
        size = payload_bytes(delta.delta)
        if size == 0:
            return None
        self._session_items.add(delta.item_id)
        return self._send(delta.delta, delta.item_id, size)

    def play_hold_tone(self) -> None:
        """Plays a tone while the model is lost or slow, so that the caller knows that the line is alive."""
        self._send(HOLD_TONE, "hold_tone", payload_bytes(HOLD_TONE))

    def _send(self, payload: msgspec.Raw, item_id: str, size: int) -> str:
        if mark := self._playback.start():
            self._effects.put(SendMark(mark))
        begins = self._playback.last
        self._effects.put(PlayAudio(payload))
        self._effects.put(SendMark(self._playback.sent(item_id, size)))
        return begins

    def drop(self, delta: AudioDelta) -> None:
        """Drops audio of an interrupted response, and truncates its item because the caller does not hear it."""
        self._session_items.add(delta.item_id)
        if cut := self._playback.late(delta.item_id):
            self._truncate(cut)

    def heard(self, mark: str, now: float) -> bool:
        """Records the echo of a mark; False if the audio before it was dropped."""
        return self._playback.echoed(mark, now)

    def interrupt(self, now: float) -> bool:
        """Clears Twilio's queue and truncates each item not heard in full; False if nothing was playing."""
        if self._playback.drained:
            self._playback.interrupt(now)
            return False
        self._effects.put(ClearPlayback())
        for cut in self._playback.interrupt(now):
            self._truncate(cut)
        return True

    def session_lost(self) -> None:
        """Forgets the lost session's items: they play on, but no session can truncate them."""
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
