"""What a phone hears of others who are on the line with it, each of whom speaks at a pace of their own."""

from collections import deque

from local.twilio.audio_format import FRAME_BYTES, SILENCE, SILENT_FRAME
from local.twilio.sound import mixed

ENOUGH_FRAMES = 2  # to begin with, so that a speaker who is a little late makes no gap
TOO_MANY_FRAMES = 10  # from here on a speaker's silence is left out, until the delay is small again


class Mixer:
    """An ear for any number of speakers."""

    def __init__(self) -> None:
        self.first_voice_ms: float | None = None
        self._speakers: dict[str, _Speaker] = {}
        self._signal = bytearray()
        self._playing = False

    @property
    def playing(self) -> bool:
        """Whether one of them makes a sound at this moment."""
        return self._playing

    def hear(self, speaker: str, frame: bytes) -> None:
        """Takes the next 20 ms of a speaker."""
        self._speakers.setdefault(speaker, _Speaker()).frames.append(frame)

    def forget(self, speaker: str) -> None:
        """A speaker is gone."""
        self._speakers.pop(speaker, None)

    def signal(self, audio: bytes) -> None:
        """Lets a tone be heard over the voices."""
        self._signal += audio

    def next_frame(self, now_ms: float) -> bytes:
        """The 20 ms that begin now."""
        voices = [speaker.next_frame() for speaker in self._speakers.values()]
        self._playing = any(frame != SILENT_FRAME for frame in voices)
        if self._playing and self.first_voice_ms is None:
            self.first_voice_ms = now_ms
        signal = bytes(self._signal[:FRAME_BYTES]).ljust(FRAME_BYTES, SILENCE)
        del self._signal[:FRAME_BYTES]
        return mixed([*voices, signal])


class _Speaker:
    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self._flowing = False

    def next_frame(self) -> bytes:
        while len(self.frames) > TOO_MANY_FRAMES and self.frames[0] == SILENT_FRAME:
            self.frames.popleft()
        self._flowing = len(self.frames) >= (1 if self._flowing else ENOUGH_FRAMES)
        return self.frames.popleft() if self._flowing else SILENT_FRAME


class Party:
    """One of two phones that are connected with each other: what it says is what the other one hears."""

    def __init__(self) -> None:
        self.ear = Mixer()
        self.other = self
        self.pressed_star = False

    def caller_audio(self, frame: bytes) -> None:
        """Takes what is said, for the other."""
        self.other.ear.hear("other", frame)

    def digit(self, digit: str) -> None:
        """Takes a key."""
        self.pressed_star = self.pressed_star or digit == "*"


def two_parties() -> tuple[Party, Party]:
    """The two ends of a connection."""
    one, other = Party(), Party()
    one.other, other.other = other, one
    return one, other
