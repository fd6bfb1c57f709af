"""Words made of tones, for tests with many calls: each speaker has its own pitch, recognised from the audio alone."""

import audioop
from itertools import pairwise

from local.audio.speech import RATE_HZ, loudness, tone

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
    """Every pitch that is heard without a break for 0.3 s."""
    half = FRAME * 5
    halves = [audio[start : start + half] for start in range(0, len(audio) - half, half)]
    heard = [pitch_of(each) if _is_loud_throughout(each) else 0 for each in halves]
    # A piece that contains the change from one tone to the next has a mixed pitch, unlike the piece beside it.
    return {one for one, other in pairwise(heard) if one == other and one}


def _is_loud_throughout(audio: bytes) -> bool:
    return all(loudness(audio[at : at + FRAME]) > QUIET for at in range(0, len(audio), FRAME))


class Pitches:
    """A recogniser that hears a tone of 440 Hz as the word "440"."""

    async def recognise(self, audio: bytes) -> str:
        """The pitch in Hz, as a word."""
        return str(pitch_of(audio))


def say(hz: int, ms: int = 600) -> bytes:
    """The audio of the word for a pitch."""
    return tone(ms, hz)
