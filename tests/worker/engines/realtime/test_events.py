"""The model's events."""

import pytest

from worker.engines.realtime.events import AudioDelta, Error, MalformedEvent, ResponseDone, decode


def test_audio_is_not_decoded() -> None:
    """The delta stays the very JSON string that came."""
    event = decode(b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"/w=="}')
    assert isinstance(event, AudioDelta)
    assert bytes(event.delta) == b'"/w=="'


def test_unknown_type() -> None:
    """New types appear without notice, and are no error."""
    assert decode(b'{"type":"response.hummed","melody":"la"}') is None


def test_unknown_fields_and_missing_ones() -> None:
    """Fields that we do not know are ignored, and of an error everything may be missing but the error."""
    event = decode(b'{"type":"error","error":{"code":null,"phase":"x"},"event_id":"e"}')
    assert isinstance(event, Error)
    assert event.error.code is None
    done = decode(b'{"type":"response.done","response":{"id":"r","status":"failed","status_details":null}}')
    assert isinstance(done, ResponseDone)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"type":7}', b'{"type":"response.done"}'])
def test_malformed(data: bytes) -> None:
    """What is no event is named as such."""
    with pytest.raises(MalformedEvent):
        decode(data)
