"""A phone: what it hears and what is spoken into it, frame by frame, both on one timeline."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from local.audio.speech import FRAME_BYTES, FRAME_MS, SILENCE, milliseconds
from local.twilio.ears import Mixer, Playback


class CallEndedError(Exception):
    """The line is dead: the call has ended, from either side."""


class Clock:
    """The time of a call, which starts at 0 ms. With `speed` 4, four of its seconds pass in a real one."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}; it must be more than 0 (1.0 is real time)")
        self._speed = speed
        self._began = time.monotonic()

    @property
    def now_ms(self) -> float:
        """Milliseconds of this clock since it was made."""
        return (time.monotonic() - self._began) * 1000 * self._speed

    async def wait_until(self, at_ms: float) -> None:
        """Sleeps until `at_ms`; a moment that has passed only yields to the other tasks, so no lateness adds up."""
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms) / 1000 / self._speed))


class Ear(Protocol):
    """What a phone hears just now."""

    @property
    def playing(self) -> bool:
        """Whether somebody's words are heard at this moment, or are about to be."""

    def next_frame(self, now_ms: float) -> bytes:
        """The 20 ms that begin now."""


class Listener(Protocol):
    """Who listens to the phone just now, as a media stream does."""

    def caller_audio(self, frame: bytes) -> None:
        """Takes the next 20 ms that are spoken into it; silence comes as well."""

    def digit(self, digit: str) -> None:
        """Takes a key that was pressed."""


class Phone:
    """Plays whatever `connected` gives it and speaks whatever `speak` gave it, in real time, until `hang_up`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.heard = bytearray()
        self.spoken = bytearray()
        self._mouth = bytearray()
        self._ear: Ear = Playback()
        self._listener: Listener | None = None
        self._frame_passed = asyncio.Event()
        self._ended = False

    @property
    def hearing(self) -> bool:
        """Whether somebody's words, the application's or another party's, are heard now; a tune is nobody's."""
        return self._ear.playing

    @property
    def with_others(self) -> bool:
        """Whether it is connected with other phones now, in a conference or by <Dial>."""
        return isinstance(self._ear, Mixer)

    @property
    def unsaid_ms(self) -> float:
        """How much is still to be spoken into the phone, in ms."""
        return milliseconds(len(self._mouth))

    @property
    def heard_ms(self) -> float:
        """How much has been heard, in ms since the call began; a busy machine's timeline is behind its clock."""
        return milliseconds(len(self.heard))

    @property
    def now_ms(self) -> float:
        """The end of the timeline, in ms since the call began."""
        return self.clock.now_ms

    async def run(self) -> None:
        """Moves both timelines on, 20 ms at a time on an absolute schedule, until `hang_up`."""
        frames = 0
        while not self._ended:
            await self.clock.wait_until(frames * FRAME_MS)
            self._play_frame(float(frames * FRAME_MS))
            frames += 1

    @contextmanager
    def connected(self, ear: Ear, listener: Listener | None = None) -> Iterator[None]:
        """For as long as it lasts the phone hears `ear`, and `listener`, or whoever did before, hears the phone."""
        before = self._ear, self._listener
        self._ear, self._listener = ear, listener or self._listener
        try:
            yield
        finally:
            self._ear, self._listener = before

    def speak(self, audio: bytes) -> None:
        """Queues mu-law audio to be spoken into the phone, behind what is being said."""
        self._mouth += audio

    def press(self, digit: str) -> None:
        """Presses one key; when nobody listens for keys it is lost, as on a real call."""
        if self._listener is not None:
            self._listener.digit(digit)

    async def until(self, happened: Callable[[], bool], limit_ms: float) -> bool:
        """Waits until `happened`, checked at every frame; False when `limit_ms` passed first.

        Raises CallEndedError when the call ends meanwhile, or has ended before.
        """
        deadline = self.now_ms + limit_ms
        while not self._ended:
            if happened():
                return True
            if self.now_ms >= deadline:
                return False
            await self._frame_passed.wait()
        raise CallEndedError("the call has ended")

    async def wait(self, duration_ms: float) -> None:
        """Lets `duration_ms` of the call pass."""
        await self.until(lambda: False, duration_ms)

    def hang_up(self) -> None:
        """Ends every wait on this phone with CallEndedError."""
        self._ended = True
        self._frame_passed.set()

    def _play_frame(self, at_ms: float) -> None:
        self.heard += self._ear.next_frame(at_ms)
        frame = bytes(self._mouth[:FRAME_BYTES]).ljust(FRAME_BYTES, SILENCE)
        del self._mouth[:FRAME_BYTES]
        self.spoken += frame
        if self._listener is not None:
            self._listener.caller_audio(frame)
        self._frame_passed.set()
        self._frame_passed = asyncio.Event()
