"""Pitch recognition, by which tests and chaos detect mixed-up calls."""

from local.audio.pitch import Pitches, pitches_in, say
from local.audio.speech import silence


async def test_every_pitch_is_told_from_its_neighbours() -> None:
    """For as many words as there are concurrent calls, with silence around them as on the telephone."""
    for hz in range(400, 2440, 40):
        assert await Pitches().recognise(silence(300) + say(hz) + silence(500)) == str(hz)


def test_a_second_voice_in_the_audio_is_heard() -> None:
    """Two tones one after the other are two pitches, and silence is none."""
    assert pitches_in(silence(200) + say(400) + silence(100) + say(1000)) == {400, 1000}
    assert pitches_in(silence(1000)) == set()


def test_tones_that_follow_upon_each_other_are_no_third_one() -> None:
    """At any position of the change."""
    for before_ms in range(0, 200, 10):
        assert pitches_in(silence(before_ms) + say(440) + say(200)) == {440, 200}
