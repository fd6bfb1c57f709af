"""WebSocket frames for a load rig: whole text messages, in prepared bytes, with as little work as the protocol permits.

A rig that costs as much as what it measures measures itself, so it writes and reads its own frames. It masks with
zeros, as the protocol allows, which leaves prepared bytes as they are; whoever unmasks them has the usual work.
"""

import struct
from typing import Final

from websockets.frames import Opcode
from websockets.speedups import apply_mask

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)
_SHORTEST_HEADER: Final = 2


_READ: Final = {_FINAL | opcode: opcode for opcode in (Opcode.TEXT, Opcode.CLOSE, Opcode.PING, Opcode.PONG)}


class UnexpectedFrameError(Exception):
    """A frame that the rig does not know how to read: a part of a message, or not text."""


def frame(opcode: Opcode, payload: bytes, *, masked: bool) -> bytes:
    """One whole message as it goes on the wire; a client's frames must be `masked`."""
    mask_bit, mask = (_MASKED, _NO_MASK) if masked else (0, b"")
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", _FINAL | opcode, mask_bit | size)
    elif size < 65536:
        header = struct.pack("!BBH", _FINAL | opcode, mask_bit | 126, size)
    else:
        header = struct.pack("!BBQ", _FINAL | opcode, mask_bit | 127, size)
    return b"%b%b%b" % (header, mask, payload)


class FrameReader:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[Opcode, bytes]]:
        """The frames that `data` completes, unmasked; raises `UnexpectedFrameError`."""
        if self._rest:
            data = self._rest + data
        frames = []
        at = 0
        while (end := _end_of_frame(data, at)) is not None:
            frames.append(_read(data, at, end))
            at = end
        self._rest = data[at:]
        return frames


def _end_of_frame(data: bytes, at: int) -> int | None:
    """Where the frame that begins at `at` ends, or None if it is not all there."""
    if len(data) - at < _SHORTEST_HEADER:
        return None
    size, start = data[at + 1] & 0x7F, at + 2
    if size >= 126:
        start += 2 if size == 126 else 8
        if len(data) < start:
            return None
        size = int.from_bytes(data[at + 2 : start])
    end = start + (4 if data[at + 1] & _MASKED else 0) + size
    return end if end <= len(data) else None


def _read(data: bytes, at: int, end: int) -> tuple[Opcode, bytes]:
    first, second = data[at], data[at + 1]
    opcode = _READ.get(first)
    if opcode is None:
        raise UnexpectedFrameError(f"a frame that begins with {first:#x}")
    start = at + {126: 4, 127: 10}.get(second & 0x7F, 2)
    if not second & _MASKED:
        return opcode, data[start:end]
    return opcode, apply_mask(data[start + 4 : end], data[start : start + 4])
