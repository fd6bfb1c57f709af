"""Text messages that are a single frame each, as nearly all are that cross a call's sockets: written and read at once.

`websockets` reads and writes any frame, but takes several times as long. What is no such message is left to it.
"""

import os
import struct
from collections.abc import Iterator
from typing import Final

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
