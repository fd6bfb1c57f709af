"""Stamps are valid base64, can be found in messages, and identify the sender."""

import time
from base64 import b64decode, b64encode

import pytest

from bench.rig.stamp import Hearing, Payload, Stamp, frame_stamps, stamps


@pytest.mark.parametrize("ms", [20, 200])
def test_a_stamped_payload_is_audio_of_its_length(ms: int) -> None:
    """8 bytes a millisecond, the stamp included."""
    assert len(b64decode(Payload(ms).stamped(99999, 99999999), validate=True)) == ms * 8


def test_a_stamp_is_found_in_whatever_carries_it() -> None:
    """With sender, number and time, also twice in one message."""
    payload = Payload(20)
    before = time.monotonic_ns()
    message = b'{"a":"%b","b":"%b"}' % (payload.stamped(7, 41), payload.stamped(7, 42))
    first, second = stamps(message)
    assert (first.sender, first.number, second.number) == (7, 41, 42)
    assert before <= first.sent_ns <= second.sent_ns <= time.monotonic_ns()
    assert not list(stamps(b'{"type":"response.done"}'))


def test_frames_that_were_joined_are_told_apart() -> None:
    """As sent by a bridge that decodes the caller's audio and forwards it in larger pieces."""
    payload = Payload(20)
    audio = b"".join(b64decode(payload.stamped(7, number)) for number in range(3))
    joined = b'{"type":"input_audio_buffer.append","audio":"%b"}' % b64encode(audio)
    assert [(stamp.sender, stamp.number) for stamp in frame_stamps(joined)] == [(7, 0), (7, 1), (7, 2)]
    assert [stamp.number for stamp in frame_stamps(b'{"audio":"%b"}' % payload.stamped(7, 4))] == [4]
    assert not list(frame_stamps(b'{"type":"response.create"}'))


def _stamp(sender: int, number: int) -> Stamp:
    [stamp] = stamps(Payload(20).stamped(sender, number))
    return stamp


def test_audio_of_another_call_is_a_stray() -> None:
    """The first sender heard is the peer."""
    hearing = Hearing()
    for sender in (3, 3, 4, 3):
        hearing.hear(_stamp(sender, hearing.arrived))
    assert (hearing.peer, hearing.arrived, hearing.strays, hearing.disordered) == (3, 3, 1, 0)
    assert hearing.reached == 3


def test_audio_that_comes_twice_or_late_is_noted() -> None:
    """Skipped audio is counted as missed, also at the start; disorder alone is not a loss."""
    hearing = Hearing()
    for number in (1, 2, 2, 6, 5):
        hearing.hear(_stamp(1, number))
    assert (hearing.arrived, hearing.disordered, hearing.missed) == (5, 2, 4)
    assert hearing.reached == 6
