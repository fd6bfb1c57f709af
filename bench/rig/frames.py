"""WebSocket frames for the load rig: whole text messages in prepared bytes, with as little work as possible.

A rig that costs as much as the bridge would measure itself, so it encodes and decodes frames itself. Its mask is zero,
as the protocol allows, which leaves prepared bytes unchanged; the receiver still has the usual work of unmasking.
"""

import struct
from functools import cache
from typing import Final

from websockets.frames import Opcode
from websockets.speedups import apply_mask

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)
_SHORTEST_HEADER: Final = 2
_KINDS: Final = {_FINAL | opcode: opcode for opcode in (Opcode.TEXT, Opcode.CLOSE, Opcode.PING, Opcode.PONG)}


class UnexpectedFrameError(Exception):
    """A frame that the rig cannot read: a fragment of a message, or not text."""


def frame(opcode: Opcode, payload: bytes, *, masked: bool) -> bytes:
    """Encodes one whole message; a client's frames must be `masked`."""
    return _header(opcode, len(payload), masked) + payload


@cache
def _header(opcode: Opcode, size: int, masked: bool) -> bytes:  # noqa: FBT001 - the cache is faster with positional arguments
    mask_bit, mask = (_MASKED, _NO_MASK) if masked else (0, b"")
    if size < 126:
        return struct.pack("!BB", _FINAL | opcode, mask_bit | size) + mask
    if size < 65536:
        return struct.pack("!BBH", _FINAL | opcode, mask_bit | 126, size) + mask
    return struct.pack("!BBQ", _FINAL | opcode, mask_bit | 127, size) + mask


class FrameReader:
    """Splits received bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[Opcode, bytes]]:
        """The frames that `data` completes, unmasked; raises `UnexpectedFrameError`."""
        if self._rest:
            data = self._rest + data
        frames, at, there = [], 0, len(data)
        while there - at >= _SHORTEST_HEADER:
            second = data[at + 1]
            size, start = second & 0x7F, at + _SHORTEST_HEADER
            if size == 126 and there >= at + 4:  # the most frequent size, so without a slice
                size, start = data[start] << 8 | data[start + 1], start + 2
            elif size >= 126:
                length, start = start, start + (2 if size == 126 else 8)
                size = int.from_bytes(data[length:start])
            payload = start + 4 if second & _MASKED else start
            end = payload + size
            if end > there or payload > there:
                break
            opcode = _KINDS.get(data[at])
            if opcode is None:
                raise UnexpectedFrameError(f"unexpected frame with first byte {data[at]:#x}")
            content = data[payload:end]
            frames.append((opcode, apply_mask(content, data[start:payload]) if payload > start else content))
            at = end
        self._rest = data[at:] if at < there else b""
        return frames
