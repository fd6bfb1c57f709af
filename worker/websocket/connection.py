"""One end of a WebSocket on the event loop: a message reaches its receiver in the loop turn in which it arrives.

There is no task and no queue between a socket and its receiver, so a receiver's reaction is written before the event
loop does anything else. All waiting has a time limit, and all buffers and the work in one turn of the loop have bounds.
"""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.server import ServerProtocol

from worker.websocket.framing import Framing
from worker.websocket.receiver import Buffer, Discard, Receiver

NORMAL: Final = 1000
_END_OF_HEAD: Final = b"\r\n\r\n"
# Before `listen`, few frames are read ahead; the rest stays with the peer.
_BUFFERED_FRAMES_A_TURN: Final = 4


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a peer may send before it is trusted; if it sends more, the connection is aborted."""

    frames: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on a peer. The connection ends if the peer does not read our messages or does not answer pings.

    `frames_a_turn` is how many frames are read in one turn of the event loop. A read of 256 KiB may hold 40,000
    frames, which would take half a second.
    """

    message_bytes: int
    unsent_bytes: int
    open_s: float
    ping_every_s: float = 20
    close_s: float = 2
    frames_a_turn: int = 64
    untrusted: Allowance | None = None  # until `trust` is called; None trusts the peer from the start


class WebSocket(asyncio.Protocol, ABC):
    """The common part of both ends. Messages wait in a buffer until `listen` is called."""

    def __init__(self, protocol: ClientProtocol | ServerProtocol, limits: Limits) -> None:
        self._protocol = protocol
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._framing = Framing(protocol, limits.message_bytes)
        self._buffer = Buffer()
        self._receiver: Receiver = self._buffer
        self._transport: asyncio.Transport
        self._allowance = limits.untrusted  # the rest of it
        self._overran = False
        self._reading_paused = False  # by `pause_reading` or a full buffer, until `listen` or `receive`
        self._paused = False  # the transport's reading: unread frames are left, or reading is paused
        self._next_read: asyncio.Handle | None = None
        self._frames_a_turn = _BUFFERED_FRAMES_A_TURN
        self._timer: asyncio.TimerHandle | None = None  # the next ping, or the end of a time limit
        self._head = b""  # its last bytes, during the handshake
        self._head_bytes = 0
        self._ended = False  # the peer will send no more
        self._opened = False
        self._is_open = False
        self._closing = False  # our close frame is sent; the peer has `close_s` for its own
        self._closed: asyncio.Future[None] = self._loop.create_future()

    @abstractmethod
    def _begin(self) -> None:
        """The connection is made; the handshake may begin."""

    @abstractmethod
    def _on_handshake(self) -> None:
        """Bytes of the handshake have arrived."""

    @abstractmethod
    def _on_open(self) -> None:
        """The handshake is over."""

    # Public methods

    @property
    def is_open(self) -> bool:
        """Whether neither side has sent a close frame and the connection is intact."""
        return self._is_open

    def send(self, message: bytes) -> None:
        """Writes a text message now; on a lost socket does nothing, because the receiver is told of the loss."""
        if self._is_open:
            self._transport.write(self._framing.text(message))

    @property
    def overran(self) -> bool:
        """Whether the connection was aborted because the peer sent too much before it was trusted."""
        return self._overran

    def trust(self) -> None:
        """Lifts the allowance, once the peer has proved who it is. `frames_a_turn` still applies."""
        self._allowance = None

    async def receive(self) -> bytes:
        """Waits for the next message, before `listen` is called; raises `SocketLost` after the last one."""
        message = await self._buffer.next()
        if self._reading_paused and not self._buffer.full:
            self._resume_reading()
        return message

    def listen(self, receiver: Receiver) -> None:
        """From the loop's next turn on, `receiver` gets all waiting and new messages, and then the end."""
        self._loop.call_soon(self._hand_over, receiver)

    def pause_reading(self) -> None:
        """Stops reading until `listen` or `close` is called."""
        self._reading_paused = True
        self._pause()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Sends a close frame, if the handshake is over. Later messages are discarded."""
        self._stop_listening()
        self._framing.close(code, reason)
        self._flush()
        self._resume_reading()
        if not self._opened:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection without a close frame."""
        self._stop_listening()
        self._transport.abort()

    async def wait_closed(self) -> None:
        """Returns when the connection has ended; after `close`, within `close_s`."""
        await asyncio.shield(self._closed)

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class is not a subclass of it
        self._transport.set_write_buffer_limits(high=self._limits.unsent_bytes)
        self._end_within(self._limits.open_s)
        self._begin()
        self._flush()

    def data_received(self, data: bytes) -> None:
        if not self._opened:
            data = self._read_head(data)
        if self._reading_paused or self._next_read:
            self._framing.keep(data)
        else:
            self._take(data)

    def pause_writing(self) -> None:
        """Aborts the connection: the peer does not read, and `unsent_bytes` are waiting."""
        self._transport.abort()

    def eof_received(self) -> None:
        # Only over TLS can the end come while reading is paused. That peer is the model, which sends no floods.
        while self._framing.unread and not self._reading_paused:
            self._take(b"")
        self._ended = True
        self._framing.end()
        if not self._opened:
            self._on_handshake()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            self._framing.end()
            self._stop_timer()
            if self._next_read:
                self._next_read.cancel()
            self._report_loss()
        finally:
            self._closed.set_result(None)

    # The handshake

    def _read_head(self, data: bytes) -> bytes:
        """Passes the handshake's bytes to the protocol; returns the frames that came in the same read."""
        begun = self._head + data
        end = begun.find(_END_OF_HEAD)
        size = len(data) if end < 0 else end + len(_END_OF_HEAD) - len(self._head)
        self._head = begun[1 - len(_END_OF_HEAD) :]
        self._head_bytes += size
        self._protocol.receive_data(data[:size])
        self._on_handshake()
        self._flush()
        if self._framing.is_open:
            self._opened = self._is_open = True
            self._head = b""
            self._ping_later()
            self._on_open()
            return data[size:]
        self._protocol.receive_data(data[size:])  # the body of an answer that refuses the handshake
        return b""

    # Reading

    def _take(self, data: bytes) -> None:
        """Reads at most one turn's frames; if more are left, pauses reading and continues in the next turn."""
        framing = self._framing
        messages = framing.read(data, self._frames_a_turn)
        if self._allowance and not self._spend(self._allowance):
            return
        for message in messages:
            self._receiver.received(message)
        if framing.has_output:
            if others := framing.frames_read - len(messages):
                self._receiver.other_frames(others)
            self._flush()
        if self._receiver is self._buffer and self._buffer.full:
            self.pause_reading()
        if framing.unread or self._paused:
            self._read_on()

    def _take_rest(self) -> None:
        self._next_read = None
        try:
            if not self._reading_paused:
                self._take(b"")
        except BaseException:
            # The event loop does the same when `data_received` fails. The receiver is told of the loss.
            self._transport.abort()
            raise

    def _spend(self, left: Allowance) -> bool:
        """Subtracts the last read from the allowance; aborts and returns False if the peer has sent too much."""
        self._allowance = left = Allowance(
            left.frames - self._framing.frames_read, left.bytes - self._framing.bytes_read
        )
        if left.frames >= 0 and left.bytes >= 0:
            return True
        self._overran = True
        self.abort()
        return False

    def _read_on(self) -> None:
        if self._reading_paused or self._transport.is_closing():
            return
        if self._framing.unread:
            self._pause()
            self._next_read = self._next_read or self._loop.call_soon(self._take_rest)
        elif self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _hand_over(self, receiver: Receiver) -> None:
        try:
            self._deliver(receiver)
        except BaseException:
            self._transport.abort()  # as in `_take_rest`
            raise

    def _deliver(self, receiver: Receiver) -> None:
        if self._receiver is not self._buffer:
            return  # closed meanwhile
        self._receiver, self._frames_a_turn = receiver, self._limits.frames_a_turn
        self._resume_reading()  # first, because the receiver may pause it again
        while self._receiver is receiver and (message := self._buffer.take()) is not None:
            receiver.received(message)
        if self._receiver is receiver and self._buffer.end:
            receiver.lost(self._buffer.end.code)

    def _stop_listening(self) -> None:
        self._receiver, self._frames_a_turn = Discard(), self._limits.frames_a_turn
        self._buffer.lost(None)
        self._is_open = False

    def _resume_reading(self) -> None:
        """Reads again, from the loop's next turn on."""
        self._reading_paused = False
        self._read_on()

    def _ping_later(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(self._limits.ping_every_s, self._ping)

    def _ping(self) -> None:
        self._ping_later()
        self._framing.ping()
        self._flush()

    # Writing and closing

    def _flush(self) -> None:
        """Writes the protocol's output; once the closing handshake has begun, starts its time limit."""
        self._framing.has_output = False
        for data in self._protocol.data_to_send():
            self._write(data)
        if self._protocol.close_expected() and not self._closing:
            self._closing = True  # once, so that a peer that keeps sending gets no more time
            self._end_within(self._limits.close_s)
        self._report_loss()

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if data:
            self._transport.write(data)
        elif self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # over TLS a connection cannot be half closed
            self._transport.close()

    def _report_loss(self) -> None:
        if self._is_open and not self._framing.is_open:
            self._is_open = False
            self._receiver.lost(self._framing.close_code)

    def _end_within(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, self._transport.abort)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
