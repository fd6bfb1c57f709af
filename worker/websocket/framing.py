"""An open WebSocket without I/O: what arrives becomes whole messages, messages become what is to be written.

Frames stand one behind the other. A text message of a single frame is read here; every other frame goes to the protocol
of `websockets`, which so sees all but the former, each from its first byte to its last: fragments, pings, the closing
handshake, and whatever is wrong.
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
_TWO_BYTES: Final = 126  # the length follows in two bytes; in eight, it is left to `websockets`
_MASK_BYTES: Final = 4
_MASKS_AT_ONCE: Final = 1024

_short_header: Final = struct.Struct("!BB").pack
_header: Final = struct.Struct("!BBH").pack
_long_header: Final = struct.Struct("!BBQ").pack


def _random_masks() -> Iterator[bytes]:
    """Asking the kernel for each would take longer than masking."""
    while True:
        random = os.urandom(_MASK_BYTES * _MASKS_AT_ONCE)
        for at in range(0, len(random), _MASK_BYTES):
            yield random[at : at + _MASK_BYTES]


_masks: Final = _random_masks()


def text_frame(message: bytes, *, masked: bool) -> bytes:
    """A text message as it goes on the wire, in one frame; a client's must be `masked`."""
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
    """The text message whose one frame begins at `at`, and where that frame ends.

    None for anything else: another frame, a part of one, one that is not `masked` as it must be, or too long.
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
    """How long the frame is that begins at `at`, all of it; None if not even that can be read yet."""
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
    """The messages of one socket. When it is `stirred`, the protocol's `data_to_send` is to be written."""

    # Of the last `read`.
    frames_read = 0
    bytes_read = 0
    unread = False  # there is more of what has arrived

    def __init__(self, protocol: ClientProtocol | ServerProtocol, longest: int) -> None:
        self.has_output = False  # the protocol may have something to write, or may be open no longer
        self._protocol = protocol
        self._is_client = isinstance(protocol, ClientProtocol)
        self._longest = longest
        self._between_messages = True  # of an open socket: a text message may begin
        self._kept = b""  # what has not been read, or is the beginning of a frame whose length is not known yet
        self._owed = 0  # bytes that the protocol still waits for in the frame that it is reading
        self._parts: list[bytes] = []  # of a fragmented message
        self._unanswered = b""  # the last ping, until its pong comes

    # What arrives

    def keep(self, data: bytes) -> None:
        """Keeps what has arrived until `read` is called."""
        self._kept += data
        self.unread = bool(self._kept)

    def read(self, data: bytes, most_frames: int) -> list[bytes]:
        """The messages that `data` completes, behind what was kept, in so many frames or parts of one at most.

        What is not read is kept: a flood of small frames would otherwise hold up the event loop.
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
                at = self._leave_to_protocol(data, at, messages)
        self.frames_read, self.bytes_read, self.unread = frames, at, at < end
        if at < end:
            self._kept = data[at:]
        return messages

    def _leave_to_protocol(self, data: bytes, at: int, messages: list[bytes]) -> int:
        """Gives the protocol one frame, or what there is of it; tells where that ends."""
        self.has_output = True
        end = len(data)
        if self._parses_frames:
            size = self._owed or frame_size(data, at)
            if size is None:
                self._kept = data[at:]
                return end
            end = min(end, at + size)
            self._owed = at + size - end
        self._protocol.receive_data(data[at:end])
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event, messages)
        self._between_messages = self.is_open and not self._owed and not self._parts
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
        """Nothing more will arrive."""
        self._protocol.receive_eof()
        self._stop_reading()

    # What is sent

    def text(self, message: bytes) -> bytes:
        """A text message as it is to be written."""
        return text_frame(message, masked=self._is_client)

    def ping(self) -> bool:
        """Asks whether the peer is there; False if it has not answered since the last time, and so is not."""
        if self._unanswered:
            self._protocol.fail(CloseCode.INTERNAL_ERROR, "no pong came")
            self._stop_reading()
            return False
        self._unanswered = os.urandom(_PING_BYTES)
        self._protocol.send_ping(self._unanswered)
        return True

    def close(self, code: int, reason: str) -> None:
        """Says goodbye, unless that has been said."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            self._stop_reading()

    def _stop_reading(self) -> None:
        """All that still comes is for the protocol."""
        self.has_output, self._between_messages = True, False

    # How it stands

    @property
    def _parses_frames(self) -> bool:
        """Whether the protocol still reads frames; after the peer's goodbye or a fault it discards what comes."""
        protocol = self._protocol
        closing = protocol.state is State.CLOSING and protocol.close_rcvd is None and protocol.parser_exc is None
        return self.is_open or closing

    @property
    def is_open(self) -> bool:
        return self._protocol.state is State.OPEN

    @property
    def close_code(self) -> int | None:
        """The code with which the peer said goodbye, if it did."""
        return self._protocol.close_rcvd.code if self._protocol.close_rcvd else None
