"""Every message of either socket is known, unknown or malformed; decoding raises nothing else."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.dialogue import Dialogue
from worker.engines.realtime import events
from worker.engines.realtime.events import MalformedEvent
from worker.twilio import media_stream
from worker.twilio.media_stream import MalformedMessage

Decode = Callable[[bytes | str], object]

EVENT_TYPES = [struct.__struct_config__.tag for struct in events.ModelEvent.__args__]
MESSAGE_TYPES = [struct.__struct_config__.tag for struct in media_stream.StreamMessage.__args__]
# Valid messages with one place for a value.
EVENTS = (
    '{"type":"session.updated","session":%s}',
    '{"type":"session.created","session":{"expires_at":%s}}',
    '{"type":"session.updated","session":{"audio":{"input":{"format":%s}}}}',
    '{"type":"input_audio_buffer.speech_stopped","audio_end_ms":%s}',
    '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":%s}',
    '{"type":"response.done","response":{"id":"r","usage":%s}}',
    '{"type":"error","error":{"message":%s}}',
    '{"type":"of tomorrow","what":%s}',
)
MESSAGES = (
    '{"event":"media","media":{"payload":%s}}',
    '{"event":"start","streamSid":"MZ1","start":{"callSid":"CA1","customParameters":%s}}',
    '{"event":"mark","mark":{"name":%s}}',
    '{"event":"of tomorrow","what":%s}',
)
# None of these is a JSON value in UTF-8.
NO_JSON = {
    "not utf-8": b'"\xff"',
    "cut utf-8": b'"\xc3"',
    "surrogate in utf-8": b'"\xed\xa0\x80"',
    "lone surrogate": b'"\\ud800"',
    "too deep": b"[" * 100_000 + b"]" * 100_000,
    "never closed": b"[" * 100_000,
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "too large": b"1e999",
    "too many digits": b"9" * 5_000,
    "nothing": b"",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
sessions = st.recursive(
    json_values | st.sampled_from(["audio/pcmu", "g711_ulaw", 1e300, -1, 0, True, None, [], {}]),
    lambda inner: st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("audio", "input", "output", "format", "type", "expires_at"), inner)
    ),
    max_leaves=12,
)


def decoded(decode: Decode, malformed: type[Exception], data: bytes | str) -> Any:
    """The decoded message; None if it was malformed. Any other exception fails the test."""
    with suppress(malformed):
        return decode(data)
    return None


@pytest.mark.parametrize("wrong", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("place", EVENTS)
def test_no_event(place: str, wrong: bytes) -> None:
    """A model's event with invalid JSON at any place is malformed."""
    with pytest.raises(MalformedEvent):
        events.decode(place.encode() % wrong)


@pytest.mark.parametrize("wrong", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("place", MESSAGES)
def test_no_message(place: str, wrong: bytes) -> None:
    """A message of Twilio with invalid JSON at any place is malformed."""
    with pytest.raises(MalformedMessage):
        media_stream.decode(place.encode() % wrong)


def test_text_that_cannot_be_encoded() -> None:
    """Text with a lone surrogate is malformed."""
    with pytest.raises(MalformedEvent):
        events.decode('{"type":"of tomorrow","what":"\ud800"}')
    with pytest.raises(MalformedMessage):
        media_stream.decode('{"event":"of tomorrow","what":"\ud800"}')


def test_the_error_is_short() -> None:
    """The error's text is short, so that it does not bring the whole message into the log."""
    with pytest.raises(MalformedEvent) as wrong:
        events.decode(b'{"type":"error","error":{"message":%b}}' % (b'"' + b"a" * 60_000))
    assert len(str(wrong.value)) < 300


@pytest.mark.parametrize(
    "session",
    [
        {"audio": "x"},
        {"audio": {"input": []}},
        {"audio": {"input": {"format": "g711_ulaw"}}},
        {"audio": {"output": {"format": None}}},
        {"audio": {"output": {"format": {"type": 7}}}},
        *({"expires_at": at} for at in (True, "soon", 0, -1, 1e300)),
        [],
    ],
)
def test_a_session_of_another_shape(session: object) -> None:
    """A session's fields are validated when they are decoded."""
    with pytest.raises(MalformedEvent):
        events.decode(json.dumps({"type": "session.updated", "session": session}))


@pytest.mark.parametrize("audio", [b"null", b"7", b"true", b"{}", b'["AAAA"]'])
def test_audio_that_is_no_string(audio: bytes) -> None:
    """Audio is passed on undecoded, but must be a JSON string."""
    with pytest.raises(MalformedEvent):
        events.decode(b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":%b}' % audio)
    with pytest.raises(MalformedMessage):
        media_stream.decode(b'{"event":"media","media":{"payload":%b}}' % audio)


@given(st.binary() | st.text(st.characters()))
def test_anything(data: bytes | str) -> None:
    """Decoding any bytes or text gives a message, None or the malformed error, on both sockets."""
    decoded(events.decode, MalformedEvent, data)
    decoded(media_stream.decode, MalformedMessage, data)


@given(st.sampled_from(EVENT_TYPES), st.dictionaries(st.text(max_size=10), json_values, max_size=3), sessions)
def test_any_event(kind: str, fields: dict[str, Any], session: object) -> None:
    """The same for any JSON with the type of an event; a call can handle every decoded event."""
    named = {"type": kind, "session": session, "response": session, "item": session, "error": session, "delta": session}
    if event := decoded(events.decode, MalformedEvent, json.dumps(fields | named)):
        Dialogue().feed(event)


@given(st.sampled_from(MESSAGE_TYPES), st.dictionaries(st.text(max_size=10), json_values, max_size=3), json_values)
def test_any_message(kind: str, fields: dict[str, Any], body: object) -> None:
    """The same for any JSON with the type of one of Twilio's messages."""
    decoded(media_stream.decode, MalformedMessage, json.dumps(fields | {"event": kind, kind: body}))
    body = {"callSid": "CA1", "payload": body, "name": body, "digit": body, "customParameters": body}
    decoded(media_stream.decode, MalformedMessage, json.dumps({"event": kind, kind: body, "streamSid": "MZ1"}))
