"""What a phone can hear: the application's audio, other phones, or a tune.

The application's audio comes in pieces of any size and is played in frames of 20 ms. A mark is sent back when all audio
before it has been played (at once if there is none), and also when a clear drops that audio (Twilio, "Media Streams -
WebSocket Messages").
"""

import functools
from collections import deque
from collections.abc import Callable
from itertools import cycle

from local.audio.speech import FRAME_BYTES, SILENCE, SILENT_FRAME, milliseconds, mixed, silence, tone
from local.twilio.report import ClearReceived, MarkReceived, MediaReceived, Received

MAX_QUEUED_BYTES = 10 * 60 * 1000 * 8  # error 31931: Twilio discards audio beyond ten minutes
ENOUGH_FRAMES = 2  # buffered at first, so that a slightly late speaker causes no gap
TOO_MANY_FRAMES = 10  # above this, a speaker's silence is skipped until the delay is small again


class Playback:
    """A queue of audio and marks. `on_mark` gets the name of each mark that is sent back."""

    def __init__(self, on_mark: Callable[[str], None] = lambda _name: None, log: list[Received] | None = None) -> None:
        self._on_mark = on_mark
        self._log = log if log is not None else []
        self._queue: deque[tuple[MediaReceived, bytes] | MarkReceived] = deque()
        self._queued_bytes = 0
        self._passed: list[MarkReceived] = []
        self._sounding = False

    @property
    def playing(self) -> bool:
        """Whether the caller hears queued audio now, or is about to."""
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
        """Queues a mark behind the queued audio."""
        entry = MarkReceived(now_ms, name)
        self._log.append(entry)
        if self._queue or self._passed or self._sounding:
            self._queue.append(entry)
        else:
            self._echo(entry, now_ms)

    def clear(self, now_ms: float) -> None:
        """Drops all queued audio, and sends the queued marks back, flagged as `cut`."""
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
                self._passed.append(head)  # its audio ends inside this frame, so it is sent back with the next one
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


class Mixer:
    """Mixes any number of other phones, each of which speaks at its own pace."""

    def __init__(self) -> None:
        self.first_voice_ms: float | None = None
        self._speakers: dict[str, _Speaker] = {}
        self._playing = False

    @property
    def playing(self) -> bool:
        """Whether one of them makes a sound now."""
        return self._playing

    def hear(self, speaker: str, frame: bytes) -> None:
        """Takes the next 20 ms of a speaker."""
        self._speakers.setdefault(speaker, _Speaker()).frames.append(frame)

    def forget(self, speaker: str) -> None:
        """Removes a speaker."""
        self._speakers.pop(speaker, None)

    def next_frame(self, now_ms: float) -> bytes:
        """The 20 ms that begin now."""
        frame = mixed([SILENT_FRAME, *(speaker.next_frame() for speaker in self._speakers.values())])
        self._playing = frame != SILENT_FRAME
        if self._playing and self.first_voice_ms is None:
            self.first_voice_ms = now_ms
        return frame


class _Speaker:
    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self._flowing = False

    def next_frame(self) -> bytes:
        while len(self.frames) > TOO_MANY_FRAMES and self.frames[0] == SILENT_FRAME:
            self.frames.popleft()
        self._flowing = len(self.frames) >= (1 if self._flowing else ENOUGH_FRAMES)
        return self.frames.popleft() if self._flowing else SILENT_FRAME


class Tune:
    """An endless sound. It is not speech, so `playing` is False."""

    playing = False

    def __init__(self, audio: bytes) -> None:
        frames = [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]
        self._frames = cycle(frame.ljust(FRAME_BYTES, SILENCE) for frame in frames)

    def next_frame(self, _now_ms: float) -> bytes:
        """The 20 ms that begin now."""
        return next(self._frames)


@functools.cache
def ringback() -> bytes:
    """North America's ringing tone: two seconds of ringing, four of silence."""
    return mixed([tone(2000, 440, 0.05), tone(2000, 480, 0.05)]) + silence(4000)


@functools.cache
def hold_music() -> bytes:
    """A soft tune without pauses, in place of the classical music that Twilio plays before a conference."""
    return b"".join(tone(500, hz, 0.1) for hz in (262, 330, 392, 523, 392, 330))
