"""The messages of a media stream, in the formats of Twilio's documentation."""

import json
from base64 import b64encode

import pytest

from local.audio.speech import FRAME_BYTES, SILENCE
from local.twilio.media_stream import CONNECTED, Clear, Mark, Media, NotCompliantError, Writer, read

SID = "MZ" + "0" * 32


def test_twilios_messages_have_the_documented_shapes() -> None:
    """All fields of each message; numbers are strings, and each message except `connected` is numbered."""
    writer = Writer("AC1", "CA1", SID)
    tone = b"\x10" * FRAME_BYTES
    sent = [
        CONNECTED,
        writer.start({"token": "t"}),
        writer.media(SILENCE * FRAME_BYTES),
        writer.media(tone),
        writer.dtmf("#"),
        writer.mark('a "mark"'),
        writer.stop(),
    ]
    media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    start = {
        "streamSid": SID,
        "accountSid": "AC1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": media_format,
        "customParameters": {"token": "t"},
    }
    silent = {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": b64encode(b"\xff" * 160).decode()}
    spoken = {"track": "inbound", "chunk": "2", "timestamp": "20", "payload": b64encode(tone).decode()}
    assert [json.loads(message) for message in sent] == [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {"event": "start", "sequenceNumber": "1", "streamSid": SID, "start": start},
        {"event": "media", "sequenceNumber": "2", "streamSid": SID, "media": silent},
        {"event": "media", "sequenceNumber": "3", "streamSid": SID, "media": spoken},
        {"event": "dtmf", "sequenceNumber": "4", "streamSid": SID, "dtmf": {"track": "inbound_track", "digit": "#"}},
        {"event": "mark", "sequenceNumber": "5", "streamSid": SID, "mark": {"name": 'a "mark"'}},
        {"event": "stop", "sequenceNumber": "6", "streamSid": SID, "stop": {"accountSid": "AC1", "callSid": "CA1"}},
    ]


def test_reads_the_three_messages_an_application_may_send() -> None:
    """Media is decoded, and a mark has a name."""
    media = read(json.dumps({"event": "media", "streamSid": SID, "media": {"payload": "AAEC"}}), SID)
    assert isinstance(media, Media)
    assert media.media.payload == b"\x00\x01\x02"
    mark = read(json.dumps({"event": "mark", "streamSid": SID, "mark": {"name": "m"}}), SID)
    assert isinstance(mark, Mark)
    assert mark.mark.name == "m"
    assert read(json.dumps({"event": "clear", "streamSid": SID}), SID) == Clear(SID)


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        '{"event":"media"}',
        f'{{"event":"start","streamSid":"{SID}"}}',
        f'{{"event":"media","streamSid":"{SID}","media":{{}}}}',
        f'{{"event":"media","streamSid":"{SID}","media":{{"payload":"%%%"}}}}',
        f'{{"event":"media","streamSid":"{SID}","media":{{"payload":"AAEC","track":"outbound"}}}}',
        f'{{"event":"mark","streamSid":"{SID}"}}',
        f'{{"event":"mark","streamSid":"{SID}","mark":{{"name":1}}}}',
        f'{{"event":"clear","streamSid":"{SID}","clear":true}}',
        '{"event":"clear","streamSid":null}',
        '{"event":"clear","streamSid":"MZother"}',
    ],
)
def test_refuses_what_warning_31951_names(message: str) -> None:
    """Invalid JSON, an unknown event, a missing or an extra field, a wrong type, another stream's sid."""
    with pytest.raises(NotCompliantError):
        read(message, SID)
