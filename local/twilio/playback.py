"""What Twilio has yet to play to the caller: audio of any size in, frames of 20 ms out, and the marks between.

A mark comes back when all audio before it has been played, at once when there is none, and also when a clear drops
that audio (Twilio, "Media Streams - WebSocket Messages").
"""

from collections import deque
from collections.abc import Callable

from local.twilio.audio_format import FRAME_BYTES, SILENCE, milliseconds
from local.twilio.report import ClearReceived, MarkReceived, MediaReceived, Received

MAX_QUEUED_BYTES = 10 * 60 * 1000 * 8  # error 31931: Twilio discards what comes on top of ten minutes


class Playback:
    """One queue of audio and marks. `on_mark` gets the name of each mark that comes back."""

    def __init__(self, on_mark: Callable[[str], None] = lambda _name: None, log: list[Received] | None = None) -> None:
        self._on_mark = on_mark
        self._log = log if log is not None else []
        self._queue: deque[tuple[MediaReceived, bytes] | MarkReceived] = deque()
        self._queued_bytes = 0
        self._passed: list[MarkReceived] = []
        self._sounding = False

    @property
    def playing(self) -> bool:
        """Whether the caller hears queued audio at this moment, or is about to."""
        return self._sounding or self._queued_bytes > 0

    def media(self, payload: bytes, now_ms: float) -> bool:
        """Queues audio; False when the queue is full and the audio was discarded."""
        entry = MediaReceived(now_ms, len(payload))
        self._log.append(entry)
        if self._queued_bytes + len(payload) > MAX_QUEUED_BYTES:
            return False
        if payload:
            self._queue.append((entry, payload))
            self._queued_bytes += len(payload)
        return True

    def mark(self, name: str, now_ms: float) -> None:
        """Queues a mark behind the audio there is."""
        entry = MarkReceived(now_ms, name)
        self._log.append(entry)
        if self._queue or self._passed or self._sounding:
            self._queue.append(entry)
        else:
            self._echo(entry, now_ms)

    def clear(self, now_ms: float) -> None:
        """Drops all queued audio and sends the marks between back, marked as cut."""
        self._log.append(ClearReceived(now_ms, milliseconds(self._queued_bytes)))
        dropped_audio = False
        waiting, self._queue, self._queued_bytes = self._queue, deque(), 0
        for entry in [*self._take_passed(), *waiting]:
            if isinstance(entry, MarkReceived):
                entry.cut = dropped_audio
                self._echo(entry, now_ms)
            else:
                dropped_audio = True

    def next_frame(self, now_ms: float) -> bytes:
        """The 20 ms that begin now; marks whose audio has ended by now are sent back first."""
        for mark in self._take_passed():
            self._echo(mark, now_ms)
        while self._queue and isinstance(head := self._queue[0], MarkReceived):
            self._queue.popleft()
            self._echo(head, now_ms)
        frame = self._take(FRAME_BYTES, now_ms) if self._queue else b""
        self._sounding = bool(frame)
        return frame.ljust(FRAME_BYTES, SILENCE)

    def _take(self, size: int, now_ms: float) -> bytes:
        frame = b""
        while self._queue and len(frame) < size:
            head = self._queue[0]
            if isinstance(head, MarkReceived):
                self._passed.append(head)  # its audio ends inside this frame, so it comes back with the next one
                self._queue.popleft()
                continue
            entry, payload = head
            part = payload[entry.heard : entry.heard + size - len(frame)]
            if entry.first_heard_at_ms is None:
                entry.first_heard_at_ms = now_ms + milliseconds(len(frame))
            entry.heard += len(part)
            self._queued_bytes -= len(part)
            frame += part
            if entry.heard == entry.size:
                self._queue.popleft()
        return frame

    def _take_passed(self) -> list[MarkReceived]:
        passed, self._passed = self._passed, []
        return passed

    def _echo(self, mark: MarkReceived, now_ms: float) -> None:
        mark.echoed_at_ms = now_ms
        self._on_mark(mark.name)
