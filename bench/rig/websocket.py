"""One end of a WebSocket: `websockets` does the handshake, the messages after it are prepared bytes."""

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

# The read buffer of connections that the event loop reads. They share it, since each read is processed before the
# next. Without it the event loop allocates 256 KiB for every read.
_arriving: Final = memoryview(bytearray(64 * 1024))


class WebSocket(asyncio.BufferedProtocol):
    """The part that both ends share. A subclass implements `is_open` and `receives`."""

    def __init__(self, handshake: ClientProtocol | ServerProtocol, tls: Tls | None = None) -> None:
        self._handshake = handshake
        self._tls = tls
        self._masked = isinstance(handshake, ClientProtocol)
        self._head = b""
        self._reader: FrameReader | None = None  # once the handshake is over
        self._transport: asyncio.WriteTransport | None = None
        self._descriptor = -1  # while the selector reads it
        self._behind = False  # whether the transport still has unsent bytes
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()  # done without `opened` if the other end refused
        self.refusal = "no answer"  # the status line in that case

    # For subclasses

    def request(self, handshake: ClientProtocol) -> Request:
        """The request with which a client opens the connection."""
        return handshake.connect()

    def answer(self, handshake: ServerProtocol, request: Request) -> Response:
        """The server's answer to a client's request."""
        return handshake.accept(request)

    def is_open(self) -> None:
        """Called after the handshake."""

    def receives(self, message: bytes) -> None:
        """Called with each text message."""

    # For users

    def prepare(self, message: bytes) -> bytes:
        """The frame of a text message, which can be sent any number of times."""
        return frame(Opcode.TEXT, message, masked=self._masked)

    def send(self, message: bytes) -> None:
        """Sends a text message; does nothing on a closed connection."""
        self.send_prepared(frame(_TEXT, message, masked=self._masked))

    def send_prepared(self, prepared: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._write(self._tls.send(prepared) if self._tls else prepared)

    def _write(self, data: bytes) -> None:
        """Writes directly to the socket; the transport gets only what the socket does not take."""
        transport = self._transport
        if transport is None:
            return
        if self._descriptor >= 0 and not (self._behind and transport.get_write_buffer_size()):
            with suppress(OSError):  # the socket is full, or broken, which the transport then finds too
                data = data[os.write(self._descriptor, data) :]
            if not data:
                return
            self._behind = True
        transport.write(data)

    def close(self) -> None:
        """Sends a close frame; the connection ends when the other end has answered."""
        self.send_prepared(frame(Opcode.CLOSE, _NORMAL_CLOSURE, masked=self._masked))

    def abort(self) -> None:
        self._read_usually()
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's transports are, but not by type
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
        # Frames may arrive together with the head, so only the head is passed to the handshake.
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
