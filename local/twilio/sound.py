"""What is silence in mu-law audio and what is not, and the tones that a telephone network makes itself."""

import audioop
import functools
import math
import struct
from collections.abc import Iterator
from itertools import cycle

from local.twilio.audio_format import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, SILENCE, SILENT_FRAME, silence

AUDIBLE_RMS = 150  # of 32,768; the quietest tone made here has ten times that, a quiet line almost nothing
SAMPLES_PER_MS = BYTES_PER_MS  # a sample is a byte


def audible(frame: bytes) -> bool:
    """Whether an ear hears anything in a piece of mu-law."""
    return frame != SILENT_FRAME and audioop.rms(audioop.ulaw2lin(frame, 2), 2) > AUDIBLE_RMS


def longest_silence(audio: bytes, after_ms: float, before_ms: float | None = None) -> float:
    """The longest time without any sound between two moments of a recording, in ms, to 20 ms."""
    longest = quiet = 0
    for _at_ms, frame in _frames(audio, after_ms, before_ms):
        quiet = 0 if audible(frame) else quiet + FRAME_MS
        longest = max(longest, quiet)
    return float(longest)


def first_sound(audio: bytes, after_ms: float) -> float | None:
    """When the first sound after a moment of a recording begins, in ms; None if there is none."""
    return next((at_ms for at_ms, frame in _frames(audio, after_ms, None) if audible(frame)), None)


def mixed(frames: list[bytes]) -> bytes:
    """Several frames of mu-law heard at once."""
    loud = [frame for frame in frames if frame != SILENT_FRAME]
    if len(loud) < 2:
        return loud[0] if loud else SILENT_FRAME
    total = functools.reduce(lambda one, other: audioop.add(one, other, 2), (audioop.ulaw2lin(f, 2) for f in loud))
    return audioop.lin2ulaw(total, 2)


@functools.cache
def tone(frequencies: tuple[int, ...], duration_ms: int, level: float) -> bytes:
    """A sound of some frequencies in Hz; `level` is its peak, from 0 to 1."""
    peak = 32767 * level / len(frequencies)
    steps = [2 * math.pi * hz / (SAMPLES_PER_MS * 1000) for hz in frequencies]
    count = duration_ms * SAMPLES_PER_MS
    samples = (int(peak * sum(math.sin(step * number) for step in steps)) for number in range(count))
    return audioop.lin2ulaw(struct.pack(f"<{count}h", *samples), 2)


@functools.cache
def ringback() -> bytes:
    """What a caller in North America hears while the other phone rings: two seconds of ringing, four of silence."""
    return tone((440, 480), 2000, 0.1) + silence(4000)


@functools.cache
def hold_music() -> bytes:
    """A soft tune without a pause, in the place of the classical music that Twilio plays before a conference."""
    return b"".join(tone((hz,), 500, 0.1) for hz in (262, 330, 392, 523, 392, 330))


@functools.cache
def beep() -> bytes:
    """What a conference hears when somebody comes or goes."""
    return tone((880,), 300, 0.2)


class Tune:
    """An ear's sound without an end. It is nobody's voice, so it is not `playing` as words are."""

    playing = False

    def __init__(self, audio: bytes) -> None:
        frames = [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]
        self._frames = cycle(frame.ljust(FRAME_BYTES, SILENCE) for frame in frames)

    def next_frame(self, _now_ms: float) -> bytes:
        """The 20 ms that begin now."""
        return next(self._frames)


def _frames(audio: bytes, after_ms: float, before_ms: float | None) -> Iterator[tuple[float, bytes]]:
    start = max(0, math.ceil(after_ms / FRAME_MS))
    end = len(audio) // FRAME_BYTES if before_ms is None else min(len(audio) // FRAME_BYTES, int(before_ms // FRAME_MS))
    for number in range(start, end):
        yield float(number * FRAME_MS), audio[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
