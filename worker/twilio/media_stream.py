"""Twilio's Media Streams messages: decodes those of a call's stream, and encodes those to send on it.

Audio is passed on unchanged: a payload stays the raw JSON string of base64 (8 kHz mu-law), because the model uses the
same encoding.
"""

from typing import Final

import msgspec

from worker.tagged_json import Malformed, TaggedDecoder, is_string


class MalformedMessage(ValueError):
    """A message that Twilio would not send: not JSON in UTF-8, or a known event with missing or wrong fields."""


class MediaFormat(msgspec.Struct, rename="camel", frozen=True):
    encoding: str
    sample_rate: int
    channels: int


class StartBody(msgspec.Struct, rename="camel"):
    call_sid: str
    account_sid: str = ""
    custom_parameters: dict[str, str] = {}
    media_format: MediaFormat = MediaFormat("audio/x-mulaw", 8000, 1)


class MediaBody(msgspec.Struct, gc=False):
    payload: msgspec.Raw


class MarkBody(msgspec.Struct):
    name: str


class DtmfBody(msgspec.Struct):
    digit: str


class Connected(msgspec.Struct, tag_field="event", tag="connected"):
    """The first message of a stream; does not name the call yet."""


class Start(msgspec.Struct, tag_field="event", tag="start", rename={"stream_sid": "streamSid"}):
    """Names the call; comes once, right after `connected`."""

    stream_sid: str
    start: StartBody


class Media(msgspec.Struct, tag_field="event", tag="media", gc=False):
    """20 ms of the caller's audio, fifty times a second, silence included."""

    media: MediaBody


class Dtmf(msgspec.Struct, tag_field="event", tag="dtmf"):
    dtmf: DtmfBody


class Mark(msgspec.Struct, tag_field="event", tag="mark"):
    """The echo of a mark: all audio queued before it has been played, or dropped by `clear`."""

    mark: MarkBody


class Stop(msgspec.Struct, tag_field="event", tag="stop"):
    """The caller hung up, or the call was transferred."""


StreamMessage = Connected | Start | Media | Dtmf | Mark | Stop

_decoder: Final[TaggedDecoder[StreamMessage]] = TaggedDecoder(StreamMessage, "event")


def decode(data: bytes | str) -> StreamMessage | None:
    """One message of the stream, or None for an unknown event; raises `MalformedMessage`."""
    try:
        message = _decoder.decode(data)
    except Malformed as error:
        raise MalformedMessage(f"not a media-stream message: {error}") from error
    if type(message) is Media and not is_string(message.media.payload):
        raise MalformedMessage("not a media-stream message: its payload is not a string")
    return message


class StreamEncoder:
    """Encodes the three messages that a server may send on one stream, as JSON text."""

    def __init__(self, stream_sid: str) -> None:
        sid = msgspec.json.encode(stream_sid)
        self._media = b'{"event":"media","streamSid":' + sid + b',"media":{"payload":'
        self._mark = b'{"event":"mark","streamSid":' + sid + b',"mark":{"name":'
        self._clear = b'{"event":"clear","streamSid":' + sid + b"}"

    def media(self, payload: msgspec.Raw) -> bytes:
        return b"%b%b}}" % (self._media, payload)

    def mark(self, name: str) -> bytes:
        return b"%b%b}}" % (self._mark, msgspec.json.encode(name))

    def clear(self) -> bytes:
        return self._clear
