"""Mu-law at 8 kHz."""

from local.twilio.audio_format import milliseconds, silence


def test_silence_is_zero_amplitude() -> None:
    """20 ms are 160 bytes of 0xFF."""
    assert silence(20) == b"\xff" * 160
    assert milliseconds(160) == 20
