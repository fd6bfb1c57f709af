"""The input buffer decodes audio in its format, and returns committed audio."""

import audioop
import base64
from typing import Any

import pytest

from local.audio.speech import loudness, silence, tone
from local.model.input_buffer import InputBuffer
from local.model.refusals import Refused
from local.model.vad import SpeechStarted, SpeechStopped

VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
}


def _base64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def _buffer(audio_format: str = "audio/pcmu", vad: dict[str, Any] | None = None) -> InputBuffer:
    buffer = InputBuffer()
    buffer.configure(audio_format, vad)
    return buffer


def test_a_commit_takes_all_of_it() -> None:
    """The buffer is empty after it; the count of appended audio goes on."""
    buffer = _buffer()
    buffer.append(_base64(tone(150)))
    buffer.append(_base64(tone(50)))
    assert buffer.commit() == tone(200)
    assert (buffer.waiting_ms, buffer.written_ms) == (0, 200)


@pytest.mark.parametrize("ms", [0, 99])
def test_a_commit_needs_a_tenth_of_a_second(ms: int) -> None:
    """An empty buffer is refused with the same code as a small one; the message says how much audio it holds."""
    buffer = _buffer()
    buffer.append(_base64(tone(ms)))
    with pytest.raises(Refused, match=f"buffer only has {ms}.00ms") as refused:
        buffer.commit()
    assert refused.value.code == "input_audio_buffer_commit_empty"


def test_voice_activity_cuts_its_turn_out_of_the_buffer() -> None:
    """The turn begins with the prefix and ends with the silence."""
    buffer = _buffer(vad=VAD)
    [started, stopped] = buffer.append(_base64(silence(1000) + tone(600) + silence(800)))
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    turn = audioop.ulaw2lin(buffer.take(started.at_ms, stopped.at_ms), 2)
    assert turn == audioop.ulaw2lin(silence(300) + tone(600) + silence(500), 2)
    assert (buffer.waiting_ms, buffer.written_ms) == (300, 2400)


def test_mu_law_taken_for_pcm_is_noise() -> None:
    """As in a session without configured formats: loud, and a sixth as long."""
    buffer = _buffer("audio/pcm")
    buffer.append(_base64(tone(1200, level=0.1)))
    noise = buffer.commit()
    assert len(noise) == pytest.approx(200 * 8, abs=20)
    assert loudness(noise) > 2 * loudness(tone(200, level=0.1))


@pytest.mark.parametrize("size", [4800, 4801])
def test_pcm_may_come_in_pieces_of_any_size(size: int) -> None:
    """Half a sample waits for its other half."""
    pcm = audioop.ratecv(audioop.ulaw2lin(tone(1000), 2), 2, 1, 8000, 24000, None)[0]
    buffer = _buffer("audio/pcm")
    for start in range(0, len(pcm), size):
        buffer.append(_base64(pcm[start : start + size]))
    heard = buffer.commit()
    assert len(heard) == pytest.approx(8000, abs=20)
    assert loudness(heard) == pytest.approx(loudness(tone(1000)), rel=0.1)


def test_a_law_is_read_as_such() -> None:
    """The other format of G.711."""
    buffer = _buffer("audio/pcma")
    buffer.append(_base64(audioop.lin2alaw(audioop.ulaw2lin(tone(200), 2), 2)))
    assert loudness(buffer.commit()) == pytest.approx(loudness(tone(200)), rel=0.05)


@pytest.mark.parametrize("audio", ["not base64!", "AAA", base64.b64encode(bytes(15 * 1024 * 1024 + 1)).decode()])
def test_what_is_no_base64_or_too_much_is_refused(audio: str) -> None:
    """The limit is 15 MiB at once."""
    with pytest.raises(Refused) as refused:
        _buffer().append(audio)
    assert (refused.value.code, refused.value.param) == ("invalid_value", "audio")


def test_a_long_silence_is_not_kept() -> None:
    """With voice activity detection, an hour of silence uses no memory."""
    buffer = _buffer(vad=VAD)
    for _ in range(13):
        buffer.append(_base64(silence(10_000)))
    assert (buffer.waiting_ms, buffer.written_ms) == (60_000, 130_000)
    assert buffer.append(_base64(tone(400)))[0] == SpeechStarted(129_700)


def test_a_cleared_buffer_is_empty() -> None:
    """Its audio is not heard."""
    buffer = _buffer()
    buffer.append(_base64(tone(500)))
    buffer.clear()
    assert (buffer.waiting_ms, buffer.written_ms) == (0, 500)
