"""One two-way media stream: Twilio's end of the socket, from the handshake to the close.

It writes Twilio's messages fast, and reads the application's strictly.
"""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CloseCode

from local.audio.speech import FRAME_MS, SILENT_FRAME
from local.twilio.ears import Playback
from local.twilio.exchange import Exchange
from local.twilio.phone import Phone
from local.twilio.report import StreamReport
from local.twilio.twiml import Stream

CONNECT_LIMIT_S = 5.0
PARTING_LIMIT_S = 5.0  # to send the remaining messages if the peer has stopped reading
CLOSE_LIMIT_S = 2.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # Twilio publishes no limit; this one only bounds the memory
PARAMETER_LIMIT = 500
DELIBERATE = frozenset({CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY})
BROKEN_PROTOCOL = frozenset({CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG})
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
    """Audio to play after the queued audio."""

    media: MediaPayload


class Mark(_Strict, tag="mark"):
    """A mark to send back after the audio before it has been played."""

    mark: MarkName


class Clear(_Strict, tag="clear"):
    """A request to drop the queued audio."""


_DECODER = msgspec.json.Decoder(Media | Mark | Clear)


def read(text: str, stream_sid: str) -> Media | Mark | Clear:
    """Parses a message of the application.

    Raises NotCompliantError for the cases of warning 31951: invalid JSON, an unknown event, a missing or extra field, a
    field of the wrong type, or another stream's sid.
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
    """Writes Twilio's messages of one stream. Numbers are written as strings; messages are numbered."""

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
        """The caller's next 20 ms. Formatted by hand, since it is sent fifty times a second."""
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


class StreamFailedError(Exception):
    """The stream could not be opened; `code` is Twilio's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class MediaStream:
    """A stream, which `run` opens and serves to its end. It listens to the phone and sends the caller's audio.

    `warn` gets the code and the text of each warning. Twilio reports a code once a stream; here each warning counts.
    """

    def __init__(
        self, exchange: Exchange, stream: Stream, call_sid: str, phone: Phone, warn: Callable[[int, str], None]
    ) -> None:
        self.report = StreamReport(f"MZ{uuid4().hex}", stream.url, stream.parameters)
        self._exchange = exchange
        self._stream = stream
        self._phone = phone
        self._warn = warn
        self._writer = Writer(exchange.account_sid, call_sid, self.report.stream_sid)
        self._outgoing: asyncio.Queue[str | None] = asyncio.Queue()  # without a limit: a call's length limits it
        self._playback = Playback(on_mark=self._echo, log=self.report.received)
        self._closed = ConnectionClosed(None, None)

    async def run(self) -> None:
        """Opens the stream and returns when the application has closed it. Cancel it to hang up.

        Raises StreamFailedError if the stream cannot be opened.
        """
        socket = await self._open()
        self._outgoing.put_nowait(CONNECTED)
        self._outgoing.put_nowait(self._writer.start(self._stream.parameters))
        self.report.started_at_ms = self._phone.now_ms
        sending = asyncio.create_task(self._send_all(socket))
        receiving = asyncio.create_task(self._receive_all(socket))
        try:
            with self._phone.connected(self._playback, self):
                await asyncio.wait({receiving})
        finally:
            await self._part(socket, sending, receiving)
        receiving.result()
        self._note_close()

    def caller_audio(self, frame: bytes) -> None:
        """Sends the caller's next 20 ms, silence included."""
        self._outgoing.put_nowait(self._writer.media(frame))

    def digit(self, digit: str) -> None:
        """Sends a key."""
        self._outgoing.put_nowait(self._writer.dtmf(digit))

    def _echo(self, mark: str) -> None:
        self._outgoing.put_nowait(self._writer.mark(mark))

    async def _open(self) -> ClientConnection:
        url = self._checked_url()
        headers = {"X-Twilio-Signature": self._exchange.sign(url, {})}
        try:
            return await connect(
                self._exchange.address_of(url),
                additional_headers=headers,
                user_agent_header="Twilio.TmeWs/1.0",
                compression=None,
                proxy=None,
                open_timeout=CONNECT_LIMIT_S,
                close_timeout=CLOSE_LIMIT_S,
                max_size=MAX_MESSAGE_BYTES,
            )
        except TimeoutError as error:
            raise StreamFailedError(31901, f"{url} did not answer in {CONNECT_LIMIT_S:.0f} s") from error
        except ssl.SSLError as error:
            raise StreamFailedError(31910, f"TLS with {url} failed: {error}") from error
        except InvalidStatus as error:
            raise StreamFailedError(31920, f"{url} answered {error.response.status_code}, not 101") from error
        except (InvalidHandshake, InvalidURI, EOFError) as error:
            raise StreamFailedError(31920, f"{url} answered with an invalid upgrade: {error}") from error
        except OSError as error:
            raise StreamFailedError(31902, f"no connection to {url}: {error}") from error

    def _checked_url(self) -> str:
        stream = self._stream
        parts = urlsplit(stream.url)
        if parts.scheme != "wss" or not parts.hostname:
            raise StreamFailedError(31922, f"the stream's URL is {stream.url!r}; it must begin with wss://")
        for name, value in stream.parameters.items():
            if len(name) + len(value) >= PARAMETER_LIMIT:
                # 31103 is the code for the same limit in Twilio's voice SDKs; no page names one for <Parameter>.
                raise StreamFailedError(31103, f"<Parameter> {name!r} has {PARAMETER_LIMIT} characters or more")
        if parts.query:
            self._warn(31922, f"the query of {stream.url!r} is dropped; use <Parameter>")
        return parts._replace(query="", fragment="").geturl()

    async def _send_all(self, socket: ClientConnection) -> None:
        try:
            while (message := await self._outgoing.get()) is not None:
                await socket.send(message)
        except ConnectionClosed:
            return  # the receiving task fails too, and ends the stream

    async def _receive_all(self, socket: ClientConnection) -> None:
        try:
            while True:
                self._take(await socket.recv())
        except ConnectionClosed as closed:
            self._closed = closed

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._warn(31950, f"a binary frame of {len(message)} bytes; messages are text")
            return
        now_ms = self._phone.now_ms
        try:
            content = read(message, self.report.stream_sid)
        except NotCompliantError as error:
            self._warn(31951, f"{error}: {message[:200]}")
            return
        match content:
            case Media(media=media):
                if not self._playback.media(media.payload, now_ms):
                    self._warn(31931, "more than ten minutes of audio are queued; this message was discarded")
            case Mark(mark=mark):
                self._playback.mark(mark.name, now_ms)
            case Clear():
                self._playback.clear(now_ms)

    async def _part(self, socket: ClientConnection, sending: asyncio.Task[None], receiving: asyncio.Task[None]) -> None:
        self.report.ended_at_ms = self._phone.now_ms
        if not receiving.done():
            self._outgoing.put_nowait(self._writer.stop())
        self._outgoing.put_nowait(None)
        await asyncio.wait({sending}, timeout=PARTING_LIMIT_S)
        sending.cancel()
        await socket.close()
        await asyncio.wait({sending, receiving}, timeout=PARTING_LIMIT_S)
        receiving.cancel()
        self.report.close_code = socket.close_code

    def _note_close(self) -> None:
        closed = self._closed
        if closed.rcvd is None and closed.sent is not None and closed.sent.code in BROKEN_PROTOCOL:
            self._warn(31924, f"the application broke the WebSocket protocol: {closed.sent.reason}")
        elif closed.rcvd is None or closed.rcvd.code not in DELIBERATE:
            self._warn(31921, f"the application closed the socket: {closed}")
