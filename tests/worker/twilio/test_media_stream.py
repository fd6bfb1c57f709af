"""Twilio's messages, decoded and encoded."""

import json
from typing import Any

import msgspec
import pytest

from worker.twilio.media_stream import (
    Connected,
    Dtmf,
    MalformedMessage,
    Mark,
    Media,
    Start,
    Stop,
    StreamEncoder,
    decode,
)

MESSAGES: list[tuple[dict[str, Any], type]] = [
    ({"event": "connected", "protocol": "Call", "version": "1.0.0"}, Connected),
    ({"event": "start", "streamSid": "MZ1", "start": {"callSid": "CA1", "tracks": ["inbound"]}}, Start),
    ({"event": "media", "media": {"track": "inbound", "chunk": "2", "timestamp": "25", "payload": "/w=="}}, Media),
    ({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "1"}}, Dtmf),
    ({"event": "mark", "mark": {"name": "0:1"}}, Mark),
    ({"event": "stop", "stop": {"callSid": "CA1"}}, Stop),
]


@pytest.mark.parametrize(("message", "kind"), MESSAGES)
def test_messages(message: dict[str, Any], kind: type) -> None:
    """Each message that Twilio documents becomes its own type; fields that we do not use are ignored."""
    assert isinstance(decode(json.dumps(message).encode()), kind)


def test_unknown_event() -> None:
    """An unknown event is no error."""
    assert decode(b'{"event":"applause","applause":{}}') is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"start"', b"{}", b'{"event":1}', b'{"event":"media"}', b"\xff"])
def test_malformed(data: bytes) -> None:
    """A message that Twilio would never send raises `MalformedMessage`."""
    with pytest.raises(MalformedMessage):
        decode(data)


def test_encoder() -> None:
    """The three messages to Twilio have exactly the required fields: Twilio refuses extra ones (error 31951)."""
    encoder = StreamEncoder('MZ"1')
    sid = {"streamSid": 'MZ"1'}
    assert json.loads(encoder.media(msgspec.Raw(b'"/w=="'))) == {"event": "media", **sid, "media": {"payload": "/w=="}}
    assert json.loads(encoder.mark("0:1")) == {"event": "mark", **sid, "mark": {"name": "0:1"}}
    assert json.loads(encoder.clear()) == {"event": "clear", **sid}
