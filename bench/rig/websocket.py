"""One end of a WebSocket of the rig: the handshake is `websockets`' own, the messages after it are prepared bytes."""

import asyncio
import os
from contextlib import suppress
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from bench.rig.frames import FrameReader, frame
from bench.rig.loop import RigLoop
from bench.rig.tls import Tls

_TEXT: Final = Opcode.TEXT
_END_OF_HEAD: Final = b"\r\n\r\n"
_NORMAL_CLOSURE: Final = (1000).to_bytes(2)

# For connections that are not read promptly. One for all: what has been read into it is used up before anything else
# is read. Without it an event loop takes a quarter of a megabyte from the system for every read.
_arriving: Final = memoryview(bytearray(64 * 1024))


class WebSocket(asyncio.BufferedProtocol):
    """What both ends have in common. A subclass says what happens when it `is_open`, and with what it `receives`."""

    def __init__(self, handshake: ClientProtocol | ServerProtocol, tls: Tls | None = None) -> None:
        self._handshake = handshake
        self._tls = tls
        self._masked = isinstance(handshake, ClientProtocol)
        self._head = b""
        self._reader: FrameReader | None = None  # once the handshake is over
        self._transport: asyncio.WriteTransport | None = None
        self._descriptor = -1  # while it is read promptly
        self._behind = False  # whether some of what was sent had to be left to the transport
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()  # comes without `opened` if the other end refused
        self.refusal = "no answer"  # the status line in that case

    # For subclasses

    def request(self, handshake: ClientProtocol) -> Request:
        """The request with which a client opens the connection."""
        return handshake.connect()

    def answer(self, handshake: ServerProtocol, request: Request) -> Response:
        """What a server answers to it."""
        return handshake.accept(request)

    def is_open(self) -> None:
        """The handshake is over."""

    def receives(self, message: bytes) -> None:
        """A text message has arrived."""

    # For users

    def prepare(self, message: bytes) -> bytes:
        """The frame of a text message, to be sent any number of times."""
        return frame(Opcode.TEXT, message, masked=self._masked)

    def send(self, message: bytes) -> None:
        """Sends a text message; into a connection that is gone, nothing."""
        self.send_prepared(frame(_TEXT, message, masked=self._masked))

    def send_prepared(self, prepared: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._write(self._tls.send(prepared) if self._tls else prepared)

    def _write(self, data: bytes) -> None:
        """Straight to the socket, as the transport would, but without its detours; only the rest is left to it."""
        transport = self._transport
        if transport is None:
            return
        if self._descriptor >= 0 and not (self._behind and transport.get_write_buffer_size()):
            with suppress(OSError):  # no room for now; or the transport finds the same, and ends the connection
                data = data[os.write(self._descriptor, data) :]
            if not data:
                return
            self._behind = True
        transport.write(data)

    def close(self) -> None:
        """Says goodbye; the connection ends when the other end has answered."""
        self.send_prepared(frame(Opcode.CLOSE, _NORMAL_CLOSURE, masked=self._masked))

    def abort(self) -> None:
        self._read_usually()
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's are, but not by their type
        loop = asyncio.get_running_loop()
        if isinstance(loop, RigLoop):
            self._descriptor = transport.get_extra_info("socket").fileno()
            loop.read_promptly(cast("asyncio.ReadTransport", transport), self._take)
        if isinstance(self._handshake, ClientProtocol):
            self._handshake.send_request(self.request(self._handshake))
            self._flush_handshake()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _arriving

    def buffer_updated(self, nbytes: int) -> None:
        self._arrived(bytes(_arriving[:nbytes]))

    def _arrived(self, data: bytes) -> None:
        if self._tls is None:
            self.read(data)
            return
        text = self._tls.receive(data)
        if answer := self._tls.outgoing():
            self._write(answer)
        if text:
            self.read(text)

    def _take(self, data: bytes) -> None:
        if not data:
            self._read_usually()
        elif self._tls is None:
            self.read(data)
        else:
            self._arrived(data)

    def _read_usually(self) -> None:
        loop, self._descriptor, descriptor = asyncio.get_running_loop(), -1, self._descriptor
        if isinstance(loop, RigLoop) and self._transport is not None and descriptor >= 0:
            loop.read_usually(cast("asyncio.ReadTransport", self._transport))

    def read(self, data: bytes) -> None:
        if self._reader is None:
            self.shake_hands(data)
            return
        for opcode, payload in self._reader.feed(data):
            if opcode is _TEXT:
                self.receives(payload)
            elif opcode is Opcode.PING:
                self.send_prepared(frame(Opcode.PONG, payload, masked=self._masked))
            elif opcode is Opcode.CLOSE:
                self.send_prepared(frame(Opcode.CLOSE, payload[:2], masked=self._masked))
                self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._read_usually()
        self._transport = None
        self.closed.set_result(None)

    def shake_hands(self, data: bytes) -> None:
        head, end_of_head, rest = (self._head + data).partition(_END_OF_HEAD)
        if not end_of_head:
            self._head = head
            return
        # Frames may come in one piece with the head, so only the head goes through the handshake.
        self._handshake.receive_data(head + end_of_head)
        for event in self._handshake.events_received():
            if isinstance(self._handshake, ServerProtocol) and isinstance(event, Request):
                self._handshake.send_response(self.answer(self._handshake, event))
        self._flush_handshake()
        if self._handshake.state is not State.OPEN:
            self.refusal = head.split(b"\r\n")[0].decode()
            self._hang_up()
            return
        self._reader = FrameReader()
        self.opened.set_result(None)
        self.is_open()
        self.read(rest)

    def _flush_handshake(self) -> None:
        for data in self._handshake.data_to_send():
            if data:
                self.send_prepared(data)

    def _hang_up(self) -> None:
        self._read_usually()
        if self._transport is not None:
            self._transport.close()
