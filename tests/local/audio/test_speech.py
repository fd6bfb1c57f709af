"""Audio in the telephone's format."""

import audioop
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.audio.speech import (
    SILENT_FRAME,
    SpeechFailed,
    first_sound,
    longest_silence,
    loudness,
    mixed,
    silence,
    speak,
    tone,
    write_stereo_wav,
)

RECORDING = silence(400) + tone(200) + silence(1000) + tone(200) + silence(200)


def test_words_become_mu_law_at_eight_kilohertz() -> None:
    """About as long as a person takes, and as loud as a voice."""
    audio = speak("What are your opening hours?")
    assert 1000 < len(audio) / 8 < 2500
    assert 0.05 < loudness(audio) < 0.4


def test_voices_and_speeds_differ() -> None:
    """Another voice sounds different; at half the speed the same words take longer."""
    assert speak("Hello.", voice="en-us+f3") != speak("Hello.")
    assert len(speak("Hello there.", rate=100)) > 1.3 * len(speak("Hello there.", rate=200))


def test_a_voice_that_there_is_not_is_an_error() -> None:
    """Not silence, and not the previous voice; the next sentence is spoken as usual."""
    with pytest.raises(SpeechFailed, match="espeak_SetVoiceByName"):
        speak("Hello.", voice="nobody")
    assert speak("Good evening.")


def test_threads_may_speak_at_once() -> None:
    """Each gets all of its own words, as long as when spoken one by one, within a few samples."""
    texts = ["No.", "This is a sentence.", "This one is somewhat longer than that one.", "Yes."] * 2
    with ThreadPoolExecutor(8) as threads:
        together = [len(audio) for audio in threads.map(speak.__wrapped__, texts)]
    assert together == pytest.approx([len(speak.__wrapped__(text)) for text in texts], abs=200)


@pytest.mark.parametrize("ms", [0, 20, 1000, 2500])
def test_a_tone_and_a_silence_have_exactly_their_length(ms: int) -> None:
    """Eight bytes a millisecond."""
    assert len(tone(ms)) == len(silence(ms)) == ms * 8


def test_a_tone_has_its_pitch_without_a_break() -> None:
    """Counted by zero crossings, also at the seam between two seconds."""
    pcm = audioop.ulaw2lin(tone(2000, 450), 2)
    assert audioop.cross(pcm, 2) == pytest.approx(1800, abs=2)
    assert audioop.cross(audioop.ulaw2lin(tone(2000, 450)[7800:8200], 2), 2) == pytest.approx(45, abs=1)


def test_loudness_tells_a_voice_from_a_quiet_line() -> None:
    """A louder tone has a higher value; silence (zero amplitude, 0xFF) has 0."""
    assert silence(20) == b"\xff" * 160
    assert loudness(silence(20)) == 0
    assert loudness(tone(20, level=0.5)) > loudness(tone(20, level=0.1)) > 0


def test_both_sides_of_a_call_are_written_side_by_side(tmp_path: Path) -> None:
    """Two channels, 16 bit at 8 kHz; the shorter side ends in silence, and neither leaks into the other."""
    path = tmp_path / "call.wav"
    write_stereo_wav(path, tone(300), silence(100) + tone(100))
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (2, 2, 8000, 2400)
        frames = file.readframes(2400)
    left, right = audioop.tomono(frames, 2, 1, 0), audioop.tomono(frames, 2, 0, 1)
    assert left == audioop.ulaw2lin(tone(300), 2)
    assert right == audioop.ulaw2lin(silence(100) + tone(100) + silence(100), 2)


@pytest.mark.parametrize(
    ("after_ms", "before_ms", "longest"),
    [(0, None, 1000), (0, 500, 400), (700, 1500, 800), (1600, None, 200), (420, 580, 0), (5000, None, 0)],
)
def test_longest_silence_lies_between_two_moments(after_ms: float, before_ms: float | None, longest: float) -> None:
    """Of a silence across either moment, only the part between them counts."""
    assert longest_silence(RECORDING, after_ms, before_ms) == longest


def test_first_sound_comes_after_a_moment() -> None:
    """Or is None."""
    assert [first_sound(RECORDING, after_ms) for after_ms in (0, 450, 700, 1900)] == [400, 460, 1600, None]


def test_noise_of_a_quiet_line_is_no_sound() -> None:
    """The smallest steps of mu-law are inaudible."""
    assert first_sound(b"\xff\x7f\xfe\x7e" * 40, 0) is None
    assert first_sound(tone(20, level=0.02), 0) == 0


def test_two_voices_at_once_are_both_in_the_sum() -> None:
    """A single voice is unchanged; without voices the result is silence."""
    one = tone(20)
    assert mixed([SILENT_FRAME, SILENT_FRAME]) == SILENT_FRAME
    assert mixed([SILENT_FRAME, one]) == one
    assert mixed([one, tone(20, 880)]) not in (one, tone(20, 880))
