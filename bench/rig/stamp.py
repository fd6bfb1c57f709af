"""Audio payloads that contain their sender and time.

A stamp is text in base64's alphabet at the start of a payload. It survives a bridge that forwards payloads unchanged,
and can be found in any message. Its time is CLOCK_MONOTONIC, which all processes share.
"""

import random
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

BYTES_PER_MS: Final = 8  # mu-law at 8 kHz
FRAME_MS: Final = 20  # of a caller's audio

_MARKER: Final = b"BenchStampIs"
_SENDER_DIGITS, _NUMBER_DIGITS, _NS_DIGITS = 5, 8, 19
_NUMBERS: Final[int] = 10**_NUMBER_DIGITS
_KEY: Final = len(_MARKER)
_TIME: Final = _KEY + _SENDER_DIGITS + _NUMBER_DIGITS
_LENGTH: Final = _TIME + _NS_DIGITS  # 44: whole groups of four
_FRAME_DIGITS: Final = -(-FRAME_MS * BYTES_PER_MS // 3) * 4  # of a frame in base64
_noise = random.Random(8000)  # noqa: S311 - stands for speech


class Stamp(NamedTuple):
    """Sender and message number in one integer, since reading stamps is most of the rig's work; and the time."""

    key: int
    sent_ns: int

    @property
    def sender(self) -> int:
        return self.key // _NUMBERS

    @property
    def number(self) -> int:
        return self.key % _NUMBERS


class Payload:
    """Audio of `ms` milliseconds as base64; a stamp replaces the first 4 ms."""

    def __init__(self, ms: int) -> None:
        self._rest = b64encode(_noise.randbytes(ms * BYTES_PER_MS))[_LENGTH:]

    def stamped(self, sender: int, number: int) -> bytes:
        """The payload of a sender's `number`-th message, with the current time."""
        return b"%b%05d%08d%019d%b" % (_MARKER, sender, number, time.monotonic_ns(), self._rest)


def stamps(message: bytes) -> Iterator[Stamp]:
    """The stamps in a message, in order; none if it has no audio of the rig's."""
    at = message.find(_MARKER)
    while at >= 0:
        yield _stamp(message, at)
        at = message.find(_MARKER, at + _LENGTH)


def frame_stamps(message: bytes) -> Sequence[Stamp]:
    """The stamps of a caller's frames in a message, also if a bridge has joined several frames."""
    at = message.find(_MARKER)
    if at < 0:
        return ()
    end = message.index(b'"', at)
    if end - at <= _FRAME_DIGITS:
        return (_stamp(message, at),)
    audio, frame = b64decode(message[at:end]), FRAME_MS * BYTES_PER_MS
    found = (b64encode(audio[start : start + _LENGTH * 3 // 4]) for start in range(0, len(audio), frame))
    return [_stamp(stamp, 0) for stamp in found if stamp.startswith(_MARKER)]


def _stamp(message: bytes, at: int) -> Stamp:
    time_at = at + _TIME
    return Stamp(int(message[at + _KEY : time_at]), int(message[time_at : at + _LENGTH]))


@dataclass
class Hearing:
    """What one end of a call has heard from the other. The first sender heard is taken to be the other end."""

    peer: int | None = None
    arrived: int = 0
    strays: int = 0  # audio of another call
    disordered: int = 0  # audio that came twice, or after later audio
    missed: int = 0  # audio that had not come when later audio did
    _next: int = field(default=-1, repr=False)  # the key expected next

    def hear(self, stamp: Stamp) -> None:
        if stamp.key != self._next and not self._is_known(stamp):
            return
        self.arrived += 1
        self._next = stamp.key + 1

    @property
    def reached(self) -> int:
        """How many messages the peer had sent up to the last one heard; without stamps, how many were heard."""
        return self.arrived if self._next < 0 else self._next % _NUMBERS

    def _is_known(self, stamp: Stamp) -> bool:
        """Whether the stamp is the peer's, although not the expected next one."""
        if self.peer is None:
            self.peer = stamp.sender
            self._next = stamp.key - stamp.number
        elif stamp.sender != self.peer:
            self.strays += 1
            return False
        self.disordered += stamp.key < self._next
        self.missed += max(0, stamp.key - self._next)
        return True
