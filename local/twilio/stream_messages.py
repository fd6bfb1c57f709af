"""The messages of a media stream: those of Twilio, written fast, and those of the application, read strictly."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from local.speech import FRAME_MS, SILENT_FRAME

SILENT_PAYLOAD = b64encode(SILENT_FRAME).decode()
CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'
MEDIA_FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}


class NotCompliantError(Exception):
    """A message that Twilio drops with warning 31951."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, tag_field="event", rename="camel"):
    stream_sid: str


class MediaPayload(msgspec.Struct, forbid_unknown_fields=True):
    """`media` of a media message; msgspec decodes the base64."""

    payload: bytes


class MarkName(msgspec.Struct, forbid_unknown_fields=True):
    """`mark` of a mark message."""

    name: str


class Media(_Strict, tag="media"):
    """Audio to play behind what is queued."""

    media: MediaPayload


class Mark(_Strict, tag="mark"):
    """A mark to send back when the audio before it has been played."""

    mark: MarkName


class Clear(_Strict, tag="clear"):
    """Drop the queued audio."""


_DECODER = msgspec.json.Decoder(Media | Mark | Clear)


def read(text: str, stream_sid: str) -> Media | Mark | Clear:
    """Reads a message of the application.

    Raises NotCompliantError for what warning 31951 names: no JSON, an unknown event, a missing or extra field, a
    field of another type, or another stream's sid.
    """
    try:
        message: Media | Mark | Clear = _DECODER.decode(text)
    except msgspec.DecodeError as error:
        raise NotCompliantError(str(error)) from error
    if message.stream_sid != stream_sid:
        raise NotCompliantError(f"streamSid is {message.stream_sid!r}; this stream is {stream_sid}")
    return message


@dataclass
class Writer:
    """Writes Twilio's messages of one stream. All numbers go out as strings, and each message counts."""

    account_sid: str
    call_sid: str
    stream_sid: str
    _sequence: int = field(default=0, init=False)
    _chunk: int = field(default=0, init=False)

    def start(self, parameters: Mapping[str, str]) -> str:
        """The `start` message, with the <Parameter>s of the TwiML."""
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": MEDIA_FORMAT,
            "customParameters": dict(parameters),
        }
        return self._message("start", start)

    def media(self, frame: bytes) -> str:
        """The caller's next 20 ms. Formatted by hand: it is the one message sent fifty times a second."""
        self._sequence += 1
        timestamp = self._chunk * FRAME_MS
        self._chunk += 1
        payload = SILENT_PAYLOAD if frame == SILENT_FRAME else b64encode(frame).decode()
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound",'
            f'"chunk":"{self._chunk}","timestamp":"{timestamp}","payload":"{payload}"}},"streamSid":"{self.stream_sid}"}}'
        )

    def mark(self, name: str) -> str:
        """The echo of a mark."""
        return self._message("mark", {"name": name})

    def dtmf(self, digit: str) -> str:
        """A key that the caller pressed."""
        return self._message("dtmf", {"track": "inbound_track", "digit": digit})

    def stop(self) -> str:
        """The last message."""
        return self._message("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def _message(self, event: str, content: Mapping[str, object]) -> str:
        self._sequence += 1
        message = {
            "event": event,
            "sequenceNumber": str(self._sequence),
            event: content,
            "streamSid": self.stream_sid,
        }
        return json.dumps(message, separators=(",", ":"))
