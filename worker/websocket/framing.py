"""An open WebSocket without I/O: turns received bytes into messages, and messages into bytes to write.

A text message in a single frame is parsed here, for speed. Every other frame is passed whole to the protocol of
`websockets`: fragments, pings, the closing handshake, and malformed frames.
"""

import os
import struct
from collections.abc import Iterator
from typing import Final

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

_FINAL_TEXT: Final = 0x81
_MASKED: Final = 0x80
_SHORT: Final = 125
_TWO_BYTES: Final = 126  # the length follows in two bytes; `websockets` parses frames whose length takes eight
_MASK_BYTES: Final = 4
_MASKS_AT_ONCE: Final = 1024

_short_header: Final = struct.Struct("!BB").pack
_header: Final = struct.Struct("!BBH").pack
_long_header: Final = struct.Struct("!BBQ").pack


def _random_masks() -> Iterator[bytes]:
    """Random masks, requested from the kernel in blocks: one request each would take longer than masking."""
    while True:
        random = os.urandom(_MASK_BYTES * _MASKS_AT_ONCE)
        for at in range(0, len(random), _MASK_BYTES):
            yield random[at : at + _MASK_BYTES]


_masks: Final = _random_masks()


def text_frame(message: bytes, *, masked: bool) -> bytes:
    """A text message as one frame; a client's must be `masked`."""
    size = len(message)
    bit = _MASKED if masked else 0
    if size <= _SHORT:
        header = _short_header(_FINAL_TEXT, bit | size)
    elif size < 1 << 16:
        header = _header(_FINAL_TEXT, bit | _TWO_BYTES, size)
    else:
        header = _long_header(_FINAL_TEXT, bit | _TWO_BYTES + 1, size)
    if not masked:
        return header + message
    mask = next(_masks)
    return b"%b%b%b" % (header, mask, apply_mask(message, mask))


def read_text(data: bytes, at: int, *, masked: bool, longest: int) -> tuple[bytes, int] | None:
    """The text message whose single frame begins at `at`, and the position after that frame.

    None for anything else: another kind of frame, an incomplete one, one with the wrong masking, or a message of more
    than `longest` bytes.
    """
    end = len(data)
    if end - at < 2 or data[at] != _FINAL_TEXT:
        return None
    size = data[at + 1] - (_MASKED if masked else 0)
    at += 2
    if size == _TWO_BYTES and end - at >= 2:
        size = data[at] << 8 | data[at + 1]
        at += 2
    elif not 0 <= size <= _SHORT:
        return None
    start = at + _MASK_BYTES if masked else at
    stop = start + size
    if stop > end or size > longest:
        return None
    message = data[start:stop]
    return (apply_mask(message, data[at:start]) if masked else message), stop


def frame_size(data: bytes, at: int) -> int | None:
    """The bytes of the whole frame that begins at `at`; None if its header is not complete yet."""
    have = len(data) - at
    if have < 2:
        return None
    size, header = data[at + 1] & 0x7F, 2 + (_MASK_BYTES if data[at + 1] & _MASKED else 0)
    if size <= _SHORT:
        return header + size
    wide = 2 if size == _TWO_BYTES else 8
    if have < 2 + wide:
        return None
    return header + wide + int.from_bytes(data[at + 2 : at + 2 + wide])


_PING_BYTES: Final = 4


class Framing:
    """The messages of one socket. When it `has_output`, write the protocol's `data_to_send`."""

    # About the last `read`.
    frames_read = 0
    bytes_read = 0
    unread = False  # whether received bytes are left to read

    def __init__(self, protocol: ClientProtocol | ServerProtocol, longest: int) -> None:
        self.has_output = False  # the protocol may have data to write, or may no longer be open
        self._protocol = protocol
        self._is_client = isinstance(protocol, ClientProtocol)
        self._longest = longest
        self._between_messages = True  # the socket is open and the next frame may begin a text message
        self._kept = b""  # bytes not read yet, or an incomplete frame header
        self._missing = 0  # bytes that the protocol still needs to complete its current frame
        self._parts: list[bytes] = []  # of a fragmented message
        self._unanswered = b""  # the last ping, until its pong comes

    # Receiving

    def keep(self, data: bytes) -> None:
        """Keeps received bytes until `read` is called."""
        self._kept += data
        self.unread = bool(self._kept)

    def read(self, data: bytes, most_frames: int) -> list[bytes]:
        """The messages completed by the kept bytes and `data`, from at most `most_frames` frames or parts of frames.

        The rest is kept, so that a flood of small frames cannot block the event loop.
        """
        if self._kept:
            data, self._kept = self._kept + data, b""
        messages: list[bytes] = []
        at, end, frames = 0, len(data), 0
        while at < end and frames < most_frames:
            frames += 1
            text = None
            if self._between_messages:
                text = read_text(data, at, masked=not self._is_client, longest=self._longest)
            if text:
                message, at = text
                messages.append(message)
            else:
                at = self._pass_to_protocol(data, at, messages)
        self.frames_read, self.bytes_read, self.unread = frames, at, at < end
        if at < end:
            self._kept = data[at:]
        return messages

    def _pass_to_protocol(self, data: bytes, at: int, messages: list[bytes]) -> int:
        """Passes one frame, or the part that has arrived, to the protocol; returns the position after it."""
        self.has_output = True
        end = len(data)
        if self._parses_frames:
            size = self._missing or frame_size(data, at)
            if size is None:
                self._kept = data[at:]
                return end
            end = min(end, at + size)
            self._missing = at + size - end
        self._protocol.receive_data(data[at:end])
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event, messages)
        self._between_messages = self.is_open and not self._missing and not self._parts
        return end

    def _take(self, frame: Frame, messages: list[bytes]) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    messages.append(b"".join(self._parts))
                    self._parts.clear()
            case Opcode.PONG if frame.data == self._unanswered:
                self._unanswered = b""

    def end(self) -> None:
        """Tells the protocol that the peer will send no more."""
        self._protocol.receive_eof()
        self._stop_reading()

    # Sending

    def text(self, message: bytes) -> bytes:
        """A text message as the bytes to write."""
        return text_frame(message, masked=self._is_client)

    def ping(self) -> bool:
        """Sends a ping; fails the connection and returns False if the last ping was not answered."""
        if self._unanswered:
            self._protocol.fail(CloseCode.INTERNAL_ERROR, "no pong received")
            self._stop_reading()
            return False
        self._unanswered = os.urandom(_PING_BYTES)
        self._protocol.send_ping(self._unanswered)
        return True

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame, unless one was sent."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            self._stop_reading()

    def _stop_reading(self) -> None:
        """From now on all received bytes go to the protocol."""
        self.has_output, self._between_messages = True, False

    # State

    @property
    def _parses_frames(self) -> bool:
        """Whether the protocol still parses frames; after the peer's close frame or an error it discards them."""
        protocol = self._protocol
        closing = protocol.state is State.CLOSING and protocol.close_rcvd is None and protocol.parser_exc is None
        return self.is_open or closing

    @property
    def is_open(self) -> bool:
        return self._protocol.state is State.OPEN

    @property
    def close_code(self) -> int | None:
        """The code of the peer's close frame, if it sent one."""
        return self._protocol.close_rcvd.code if self._protocol.close_rcvd else None
