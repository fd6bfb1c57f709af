"""Words made of tones, for many calls at once: each voice has a pitch of its own, told from the audio alone."""

import audioop

from local.speech import RATE_HZ, loudness, tone

FRAME = RATE_HZ // 50
STEP_HZ = 40
QUIET = 0.02


def pitch_of(audio: bytes) -> int:
    """The pitch of a tone in mu-law audio, in Hz, to the nearest step; 0 for silence."""
    frames = [audio[start : start + FRAME] for start in range(0, len(audio) - FRAME + 1, FRAME)]
    loud = b"".join(frame for frame in frames if loudness(frame) > QUIET)
    if not loud:
        return 0
    seconds = len(loud) / RATE_HZ
    hz = audioop.cross(audioop.ulaw2lin(loud, 2), 2) / 2 / seconds
    return round(hz / STEP_HZ) * STEP_HZ


def pitches_in(audio: bytes) -> set[int]:
    """Every pitch that is heard for at least a fifth of a second on end."""
    piece = FRAME * 10
    pieces = [audio[start : start + piece] for start in range(0, len(audio), piece)]
    whole = [each for each in pieces if all(loudness(each[at : at + FRAME]) > QUIET for at in range(0, piece, FRAME))]
    return {pitch_of(each) for each in whole}


class Pitches:
    """A recogniser that hears a tone of 440 Hz as the word "440"."""

    async def recognise(self, audio: bytes) -> str:
        """The pitch as a word."""
        return str(pitch_of(audio))


def say(hz: int, ms: int = 600) -> bytes:
    """The word for a pitch."""
    return tone(ms, hz)
