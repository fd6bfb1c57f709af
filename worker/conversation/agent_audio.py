"""The agent's voice: its audio on the way to the phone, and what of it the model may remember having said."""

import msgspec

from worker.conversation.effects import ClearPlayback, PlayAudio, SendMark
from worker.conversation.hold_tone import HOLD_TONE
from worker.conversation.outbox import Outbox
from worker.conversation.playback import Cut, Playback
from worker.conversation.transcript import Transcript
from worker.engines.realtime.events import AudioDelta
from worker.twilio.media_stream import payload_bytes


class Voice:
    """Plays audio with marks between, and takes back what an interruption left unheard."""

    def __init__(self, outbox: Outbox, transcript: Transcript) -> None:
        self._outbox = outbox
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
            self._outbox.put(SendMark(mark))
        begins = self._playback.last
        self._outbox.put(PlayAudio(payload))
        self._outbox.put(SendMark(self._playback.sent(item_id, size)))
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
        self._outbox.put(ClearPlayback())
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
        self._outbox.to_model(
            {
                "type": "conversation.item.truncate",
                "item_id": cut.item_id,
                "content_index": 0,
                "audio_end_ms": cut.heard_ms,
            }
        )
