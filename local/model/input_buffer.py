"""The input audio buffer: what the client has appended and not yet committed, kept as PCM16 at 8 kHz whatever it came
as. It is read in the session's format, right or wrong: mu-law taken for 24 kHz PCM is the noise that it is in life."""

import audioop
import base64
import binascii
from typing import Any

from local.model.refusals import Refused, invalid
from local.model.vad import SpeechStarted, SpeechStopped, VoiceActivity

BYTES_PER_MS = 16
LEAST_COMMIT_MS = 100
LONGEST_WAIT_MS = 60_000  # of quiet, where voice activity will commit nothing of it; far more than any prefix padding
LARGEST_APPEND = 15 * 1024 * 1024


class InputBuffer:
    """Audio waiting to be committed, with the voice activity found in it; positions are ms of audio written so far."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._from_ms = 0
        self._odd = b""
        self._resampling: Any = None
        self._format = "audio/pcm"
        self._vad: VoiceActivity | None = None

    @property
    def written_ms(self) -> int:
        """All audio that was ever appended."""
        return self._from_ms + len(self._pcm) // BYTES_PER_MS

    @property
    def waiting_ms(self) -> int:
        """The audio that is not committed yet."""
        return len(self._pcm) // BYTES_PER_MS

    def configure(self, audio_format: str, turn_detection: dict[str, Any] | None) -> None:
        """Reads what comes from now on in another format, and looks for speech anew."""
        self._format, self._odd, self._resampling = audio_format, b"", None
        self._vad = VoiceActivity(turn_detection, at_ms=self.written_ms) if turn_detection else None

    def append(self, audio: str) -> list[SpeechStarted | SpeechStopped]:
        """Takes base64 audio; raises `Refused` for what is no base64 or too much at once."""
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
        """Empties the buffer up to `to_ms` and gives the part from `from_ms` on as mu-law."""
        start, end = (max(0, at - self._from_ms) * BYTES_PER_MS for at in (from_ms, to_ms))
        taken = bytes(self._pcm[start:end])
        del self._pcm[:end]
        self._from_ms = max(self._from_ms, to_ms)
        return audioop.lin2ulaw(taken, 2)

    def commit(self) -> bytes:
        """All of it as mu-law, for a client's commit; raises `Refused` under 100 ms."""
        if self.waiting_ms < LEAST_COMMIT_MS:
            raise Refused(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{LEAST_COMMIT_MS}ms of audio, but buffer only has {self.waiting_ms:.2f}ms of audio.",
            )
        return self.take(self._from_ms, self.written_ms)

    def clear(self) -> None:
        """Forgets what waits; the count of audio written goes on."""
        self.take(self.written_ms, self.written_ms)
