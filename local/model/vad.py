"""Voice activity detection by loudness, in place of the service's neural net: speech starts with some loud frames in a
row and stops after a period of quiet. Positions are in ms of audio appended, not in time."""

import audioop
import math
from dataclasses import dataclass
from typing import Any

FRAME_MS = 20
FRAME_BYTES = FRAME_MS * 16  # PCM16 at 8 kHz
LOUD_FRAMES_TO_START = 3
QUIETEST_DB, LOUDEST_DB = -60.0, -20.0  # the loudness range that the threshold's 0..1 maps to
# The real semantic VAD waits longer after unfinished words; here the wait depends on the eagerness only.
SEMANTIC_SILENCE_MS = {"low": 900, "medium": 600, "auto": 600, "high": 300}


@dataclass(frozen=True)
class SpeechStarted:
    """Speech began at this many ms of audio appended, less the prefix padding."""

    at_ms: int


@dataclass(frozen=True)
class SpeechStopped:
    """Speech ended at this many ms of audio appended, including the silence after it."""

    at_ms: int


class VoiceActivity:
    """Finds where speech starts and stops in audio that is fed piece by piece."""

    def __init__(self, settings: dict[str, Any], *, at_ms: int) -> None:
        self._threshold = settings.get("threshold", 0.5)
        self._prefix_ms = settings.get("prefix_padding_ms", 300)
        self._silence_ms = settings.get("silence_duration_ms", SEMANTIC_SILENCE_MS[settings.get("eagerness", "auto")])
        self._floor_ms = at_ms
        self._at_ms = at_ms
        self._rest = b""
        self._loud_frames = 0
        self._quiet_ms = 0
        self.speaking = False

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]:
        """Takes PCM16 at 8 kHz, and returns the starts and stops in it, in order."""
        self._rest += pcm
        found: list[SpeechStarted | SpeechStopped] = []
        whole = len(self._rest) - len(self._rest) % FRAME_BYTES
        for start in range(0, whole, FRAME_BYTES):
            self._at_ms += FRAME_MS
            event = self._frame(loud=loudness(self._rest[start : start + FRAME_BYTES]) >= self._threshold)
            if event:
                found.append(event)
        self._rest = self._rest[whole:]
        return found

    def _frame(self, *, loud: bool) -> SpeechStarted | SpeechStopped | None:
        self._loud_frames = self._loud_frames + 1 if loud else 0
        self._quiet_ms = 0 if loud else self._quiet_ms + FRAME_MS
        if not self.speaking and self._loud_frames >= LOUD_FRAMES_TO_START:
            self.speaking = True
            began = self._at_ms - LOUD_FRAMES_TO_START * FRAME_MS
            return SpeechStarted(max(self._floor_ms, began - self._prefix_ms))
        if self.speaking and self._quiet_ms >= max(self._silence_ms, FRAME_MS):
            self.speaking = False
            self._floor_ms = self._at_ms
            return SpeechStopped(self._at_ms)
        return None


def loudness(pcm: bytes) -> float:
    """How loud PCM16 is, from 0 (a quiet line) to 1 (a voice close to the telephone)."""
    rms = audioop.rms(pcm, 2)
    decibels = 20 * math.log10(rms / 32768) if rms else QUIETEST_DB
    return min(1.0, max(0.0, (decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)))
