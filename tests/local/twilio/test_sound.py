"""Silence and sound in recordings, and the tones of a telephone network."""

import pytest

from local.pitch import pitch_of
from local.speech import tone
from local.twilio.audio_format import SILENT_FRAME, milliseconds, silence
from local.twilio.sound import Tune, audible, first_sound, hold_music, longest_silence, mixed, ringback

RECORDING = silence(400) + tone(200) + silence(1000) + tone(200) + silence(200)


@pytest.mark.parametrize(
    ("after_ms", "before_ms", "longest"),
    [(0, None, 1000), (0, 500, 400), (700, 1500, 800), (1600, None, 200), (420, 580, 0), (5000, None, 0)],
)
def test_longest_silence_lies_between_two_moments(after_ms: float, before_ms: float | None, longest: float) -> None:
    """What is cut off by either moment counts only as far as it lies between them."""
    assert longest_silence(RECORDING, after_ms, before_ms) == longest


def test_first_sound_comes_after_a_moment() -> None:
    """Or never."""
    assert [first_sound(RECORDING, after_ms) for after_ms in (0, 450, 700, 1900)] == [400, 460, 1600, None]


def test_noise_of_a_quiet_line_is_no_sound() -> None:
    """The smallest steps of mu-law are heard by nobody."""
    assert not audible(b"\xff\x7f\xfe\x7e" * 40)
    assert audible(tone(20, level=0.02))


def test_two_voices_at_once_are_both_in_the_sum() -> None:
    """One alone is passed on untouched, and nobody is silence."""
    one = tone(20)
    assert mixed([]) == mixed([SILENT_FRAME, SILENT_FRAME]) == SILENT_FRAME
    assert mixed([SILENT_FRAME, one]) == one
    assert mixed([one, tone(20, 880)]) not in (one, tone(20, 880))


def test_hold_music_has_no_pause_and_goes_on_for_ever() -> None:
    """Unlike ringing, which is mostly silence; neither is anybody's voice."""
    tune = Tune(hold_music())
    heard = b"".join(tune.next_frame(0) for _ in range(1000))
    assert (longest_silence(heard, 0, None), milliseconds(len(heard)), tune.playing) == (0, 20_000, False)
    assert longest_silence(ringback(), 0, None) == 4000
    assert pitch_of(ringback()[:8000]) > 0
