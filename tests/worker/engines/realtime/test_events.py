"""The model's events."""

import pytest

from worker.engines.realtime.events import AudioDelta, Error, MalformedEvent, ResponseDone, decode


def test_audio_is_not_decoded() -> None:
    """The delta stays the JSON string as it came."""
    event = decode(b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"/w=="}')
    assert isinstance(event, AudioDelta)
    assert bytes(event.delta) == b'"/w=="'


def test_unknown_type() -> None:
    """Events of an unknown type are ignored: new types appear unannounced."""
    assert decode(b'{"type":"response.hummed","melody":"la"}') is None


def test_unknown_fields_and_missing_ones() -> None:
    """Unknown fields are ignored, and most fields are optional."""
    event = decode(b'{"type":"error","error":{"code":null,"phase":"x"},"event_id":"e"}')
    assert isinstance(event, Error)
    assert event.error.code is None
    done = decode(b'{"type":"response.done","response":{"id":"r","status":"failed","status_details":null}}')
    assert isinstance(done, ResponseDone)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"type":7}', b'{"type":"response.done"}'])
def test_malformed(data: bytes) -> None:
    """Data that is not a valid event raises `MalformedEvent`."""
    with pytest.raises(MalformedEvent):
        decode(data)
