"""The input audio buffer: audio that the client has appended and not yet committed, stored as PCM16 at 8 kHz. It is
decoded in the session's format even if that is wrong: mu-law decoded as 24 kHz PCM is noise, as in the real service."""

import audioop
import base64
import binascii
from typing import Any

from local.model.refusals import Refused, invalid
from local.model.vad import SpeechStarted, SpeechStopped, VoiceActivity

BYTES_PER_MS = 16
LEAST_COMMIT_MS = 100
LONGEST_WAIT_MS = 60_000  # most silence kept under voice activity detection; far more than any prefix padding
LARGEST_APPEND = 15 * 1024 * 1024


class InputBuffer:
    """Uncommitted audio, with the voice activity found in it; positions are in ms of audio appended so far."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._from_ms = 0
        self._odd = b""
        self._resampling: Any = None
        self._format = "audio/pcm"
        self._vad: VoiceActivity | None = None

    @property
    def written_ms(self) -> int:
        """The length of all audio ever appended, in ms."""
        return self._from_ms + len(self._pcm) // BYTES_PER_MS

    @property
    def waiting_ms(self) -> int:
        """The length of the audio that is not committed yet, in ms."""
        return len(self._pcm) // BYTES_PER_MS

    def configure(self, audio_format: str, turn_detection: dict[str, Any] | None) -> None:
        """Decodes audio from now on in another format, and restarts the speech detection."""
        self._format, self._odd, self._resampling = audio_format, b"", None
        self._vad = VoiceActivity(turn_detection, at_ms=self.written_ms) if turn_detection else None

    def append(self, audio: str) -> list[SpeechStarted | SpeechStopped]:
        """Takes base64 audio, and returns the voice activity in it; raises `Refused` if invalid or too long."""
        try:
            data = base64.b64decode(audio, validate=True)
        except (binascii.Error, ValueError):
            raise invalid("audio", f"expected base64-encoded {self._format}") from None
        if len(data) > LARGEST_APPEND:
            raise invalid("audio", f"at most {LARGEST_APPEND} bytes may be appended at once, got {len(data)}")
        pcm = self._decode(data)
        self._pcm += pcm
        found = self._vad.feed(pcm) if self._vad else []
        if self._vad and not self._vad.speaking and not found and self.waiting_ms > LONGEST_WAIT_MS:
            self.take(self.written_ms, self.written_ms - LONGEST_WAIT_MS)
        return found

    def _decode(self, data: bytes) -> bytes:
        if self._format == "audio/pcmu":
            return audioop.ulaw2lin(data, 2)
        if self._format == "audio/pcma":
            return audioop.alaw2lin(data, 2)
        data = self._odd + data
        whole = len(data) - len(data) % 2
        self._odd = data[whole:]
        pcm, self._resampling = audioop.ratecv(data[:whole], 2, 1, 24000, 8000, self._resampling)
        return pcm

    def take(self, from_ms: int, to_ms: int) -> bytes:
        """Empties the buffer up to `to_ms`, and returns the part from `from_ms` on as mu-law."""
        start, end = (max(0, at - self._from_ms) * BYTES_PER_MS for at in (from_ms, to_ms))
        taken = bytes(self._pcm[start:end])
        del self._pcm[:end]
        self._from_ms = max(self._from_ms, to_ms)
        return audioop.lin2ulaw(taken, 2)

    def commit(self) -> bytes:
        """Empties the buffer and returns it as mu-law, for a client's commit; raises `Refused` under 100 ms."""
        if self.waiting_ms < LEAST_COMMIT_MS:
            raise Refused(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{LEAST_COMMIT_MS}ms of audio, but buffer only has {self.waiting_ms:.2f}ms of audio.",
            )
        return self.take(self._from_ms, self.written_ms)

    def clear(self) -> None:
        """Discards the uncommitted audio; `written_ms` does not change."""
        self.take(self.written_ms, self.written_ms)
