"""Where speech starts and stops, in ms of audio appended."""

import audioop
from typing import Any

import pytest

from local.audio.speech import silence, speak, tone
from local.model.vad import SEMANTIC_SILENCE_MS, SpeechStarted, SpeechStopped, VoiceActivity, loudness

SETTINGS = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}


def _pcm(mu_law: bytes) -> bytes:
    return audioop.ulaw2lin(mu_law, 2)


def _found(audio: bytes, at_ms: int = 0, **settings: Any) -> list[SpeechStarted | SpeechStopped]:
    return VoiceActivity(SETTINGS | settings, at_ms=at_ms).feed(_pcm(audio))


def test_speech_starts_with_its_prefix_and_stops_with_its_silence() -> None:
    """With 600 ms of sound after a second of quiet, the start is 300 ms before the sound, the stop 500 ms after it."""
    audio = silence(1000) + tone(600) + silence(800)
    assert _found(audio) == [SpeechStarted(700), SpeechStopped(2100)]


def test_the_prefix_does_not_reach_behind_the_beginning_or_the_turn_before() -> None:
    """So committed audio is not committed again."""
    audio = silence(100) + tone(200) + silence(500) + tone(200) + silence(500)
    assert _found(audio) == [SpeechStarted(0), SpeechStopped(800), SpeechStarted(800), SpeechStopped(1500)]
    assert _found(silence(100) + tone(200), at_ms=5000) == [SpeechStarted(5000)]


def test_pieces_of_any_size_give_the_same() -> None:
    """Telephone frames, or odd sizes."""
    pcm = _pcm(silence(400) + tone(300) + silence(600))
    vad = VoiceActivity(SETTINGS, at_ms=0)
    found = [event for start in range(0, len(pcm), 258) for event in vad.feed(pcm[start : start + 258])]
    assert found == [SpeechStarted(100), SpeechStopped(1200)]


def test_a_pause_within_speech_does_not_end_it() -> None:
    """If it is shorter than the configured silence; with a shorter setting, the same pause ends it."""
    audio = tone(300) + silence(300) + tone(300) + silence(600)
    assert len(_found(audio)) == 2
    assert len(_found(audio, silence_duration_ms=200)) == 4


def test_a_click_is_no_speech() -> None:
    """Forty milliseconds of noise on the line."""
    assert _found(silence(200) + tone(40) + silence(600)) == []


@pytest.mark.parametrize(("threshold", "heard"), [(0.3, True), (0.9, False)])
def test_the_threshold_decides_how_loud_speech_must_be(threshold: float, heard: bool) -> None:
    """A faint voice is heard with a low threshold only."""
    faint = tone(600, level=0.02)
    assert bool(_found(faint, threshold=threshold)) is heard


def test_espeak_is_loud_enough_for_a_telephones_threshold() -> None:
    """The demo's agent uses a raised threshold, which the caller's voice must pass."""
    audio = silence(300) + speak("What are your opening hours?") + silence(700)
    assert [type(event) for event in _found(audio, threshold=0.7)] == [SpeechStarted, SpeechStopped]


@pytest.mark.parametrize("eagerness", SEMANTIC_SILENCE_MS)
def test_semantic_vad_waits_as_its_eagerness_says(eagerness: str) -> None:
    """The higher the eagerness, the shorter the wait."""
    vad = VoiceActivity({"type": "semantic_vad", "eagerness": eagerness}, at_ms=0)
    assert vad.feed(_pcm(tone(400) + silence(1000)))[1] == SpeechStopped(400 + SEMANTIC_SILENCE_MS[eagerness])


def test_loudness_runs_from_a_quiet_line_to_a_loud_voice() -> None:
    """Zero for silence, one for a full tone."""
    assert loudness(_pcm(silence(20))) == 0
    assert loudness(_pcm(tone(20, level=0.9))) == 1
