"""One end of a WebSocket under the event loop: messages are handed over in the very turn in which they arrive.

No task and no queue stands between a socket and its receiver, so what a receiver decides is written before the loop
turns to anything else. Whatever could take for ever has a time limit, and whatever could grow has a bound: so has the
work that one socket may cause in one turn of the loop.
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
# Until somebody listens: what was read and waits is little, and the rest stays with the peer.
_UNHEARD_FRAMES_A_TURN: Final = 4


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a peer may send before it is trusted. One that sends more is cut off."""

    frames: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a peer may ask of us. One that does not read what we send, or answers no ping, is given up.

    `frames_a_turn` is how many frames are read in one turn of the event loop. A read of 256 KiB may hold 40,000 of
    them, which would take half a second.
    """

    message_bytes: int
    unsent_bytes: int
    open_s: float
    ping_every_s: float = 20
    close_s: float = 2
    frames_a_turn: int = 64
    untrusted: Allowance | None = None  # until `trust` is called; None trusts the peer from the start


class WebSocket(asyncio.Protocol, ABC):
    """What both ends have in common. What arrives waits until somebody listens."""

    def __init__(self, protocol: ClientProtocol | ServerProtocol, limits: Limits) -> None:
        self._protocol = protocol
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._framing = Framing(protocol, limits.message_bytes)
        self._buffer = Buffer()
        self._receiver: Receiver = self._buffer
        self._transport: asyncio.Transport
        self._allowance = limits.untrusted  # what is left of it
        self._overran = False
        self._reading_paused = False  # nothing is read until somebody listens, or asks for the next message
        self._paused = False  # the transport reads nothing, since there is something to be read still, or it is held
        self._next_read: asyncio.Handle | None = None
        self._frames_a_turn = _UNHEARD_FRAMES_A_TURN
        self._timer: asyncio.TimerHandle | None = None  # the next ping, or the end of a time limit
        self._head = b""  # its last bytes, while the handshake is going on
        self._head_bytes = 0
        self._ended = False  # the peer will send no more
        self._opened = False
        self._is_open = False
        self._closing = False  # the peer has had our goodbye, and `close_s` for its own
        self._gone: asyncio.Future[None] = self._loop.create_future()

    @abstractmethod
    def _begin(self) -> None:
        """The connection stands; the handshake may begin."""

    @abstractmethod
    def _on_handshake(self) -> None:
        """Something of the handshake has arrived."""

    @abstractmethod
    def _on_open(self) -> None:
        """The handshake is over."""

    # For users

    @property
    def is_open(self) -> bool:
        """Neither side has said goodbye, and nothing has broken."""
        return self._is_open

    def send(self, message: bytes) -> None:
        """Writes a text message now; into a socket that is lost, nothing: whoever listens is told of that."""
        if self._is_open:
            self._transport.write(self._framing.text(message))

    @property
    def overran(self) -> bool:
        """The peer was cut off, because it sent more than it may before it is trusted."""
        return self._overran

    def trust(self) -> None:
        """The peer has shown who it is: from now on it may send as much as it likes, if not all at once."""
        self._allowance = None

    async def receive(self) -> bytes:
        """The next message, as long as nobody listens; raises `SocketLost` after the last one."""
        message = await self._buffer.next()
        if self._reading_paused and not self._buffer.full:
            self._go_on_reading()
        return message

    def listen(self, receiver: Receiver) -> None:
        """From the loop's next turn on `receiver` is told all that has come and will come, and then of the end."""
        self._loop.call_soon(self._hand_over, receiver)

    def pause_reading(self) -> None:
        """Reads no more, until it is listened to or closed."""
        self._reading_paused = True
        self._pause()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Says goodbye, if the handshake is over. What still arrives is not heard any more."""
        self._stop_listening()
        self._framing.close(code, reason)
        self._flush()
        self._go_on_reading()
        if not self._opened:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection without a goodbye."""
        self._stop_listening()
        self._transport.abort()

    async def wait_closed(self) -> None:
        """Returns when the connection is gone; after `close`, that is within the time that the peer has for it."""
        await asyncio.shield(self._gone)

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are, but not by their type
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
        """The peer does not read: more is not kept for it."""
        self._transport.abort()

    def eof_received(self) -> None:
        # Only over TLS may the end come while reading is paused; the peer is then the model, which floods nobody.
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
            self._note_loss()
        finally:
            self._gone.set_result(None)

    # The handshake

    def _read_head(self, data: bytes) -> bytes:
        """Gives the handshake what is its own; frames may come in one piece with it, and are given back."""
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
        self._protocol.receive_data(data[size:])  # of an answer that is no handshake
        return b""

    # While it is open

    def _take(self, data: bytes) -> None:
        """One turn's share of what has arrived; if that is not all, reading pauses and the next turn goes on."""
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

    def _take_more(self) -> None:
        self._next_read = None
        try:
            if not self._reading_paused:
                self._take(b"")
        except BaseException:
            # As the event loop does with a socket that fails at what arrives; the receiver is told of the loss.
            self._transport.abort()
            raise

    def _spend(self, left: Allowance) -> bool:
        """Takes what was read from what a peer may send before it is trusted; one that sends more is cut off."""
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
            self._next_read = self._next_read or self._loop.call_soon(self._take_more)
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
            self._transport.abort()  # as in `_take_more`
            raise

    def _deliver(self, receiver: Receiver) -> None:
        if self._receiver is not self._buffer:
            return  # closed meanwhile
        self._receiver, self._frames_a_turn = receiver, self._limits.frames_a_turn
        self._go_on_reading()  # first, since whoever listens may hold it again
        while self._receiver is receiver and (message := self._buffer.take()) is not None:
            receiver.received(message)
        if self._receiver is receiver and self._buffer.end:
            receiver.lost(self._buffer.end.code)

    def _stop_listening(self) -> None:
        self._receiver, self._frames_a_turn = Discard(), self._limits.frames_a_turn
        self._buffer.lost(None)
        self._is_open = False

    def _go_on_reading(self) -> None:
        """From the loop's next turn on."""
        self._reading_paused = False
        self._read_on()

    def _ping_later(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(self._limits.ping_every_s, self._ping)

    def _ping(self) -> None:
        self._ping_later()
        self._framing.ping()
        self._flush()

    # The end

    def _flush(self) -> None:
        """Writes what the protocol has to say, and sees to the end once that has begun."""
        self._framing.has_output = False
        for data in self._protocol.data_to_send():
            self._write(data)
        if self._protocol.close_expected() and not self._closing:
            self._closing = True  # once: a peer that goes on sending gets no more time
            self._end_within(self._limits.close_s)
        self._note_loss()

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if data:
            self._transport.write(data)
        elif self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # over TLS there is no half of a connection
            self._transport.close()

    def _note_loss(self) -> None:
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
