"""A phone: what it hears and what is spoken into it, frame by frame, on one timeline."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from local.audio.speech import FRAME_BYTES, FRAME_MS, SILENCE, milliseconds
from local.twilio.ears import Mixer, Playback


class CallEndedError(Exception):
    """The call has ended, from either side."""


class Clock:
    """A call's clock, which starts at 0 ms. With `speed` 4, it runs four times as fast as real time."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}; it must be more than 0 (1.0 is real time)")
        self._speed = speed
        self._began = time.monotonic()

    @property
    def now_ms(self) -> float:
        """Milliseconds since the clock was created, on its own scale."""
        return (time.monotonic() - self._began) * 1000 * self._speed

    async def wait_until(self, at_ms: float) -> None:
        """Sleeps until `at_ms`; if that has passed, it only yields to other tasks, so that delays do not add up."""
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms) / 1000 / self._speed))


class Ear(Protocol):
    """A source of what a phone hears."""

    @property
    def playing(self) -> bool:
        """Whether speech is heard now, or is about to be."""

    def next_frame(self, now_ms: float) -> bytes:
        """The 20 ms that begin now."""


class Listener(Protocol):
    """A receiver of what is spoken and pressed at the phone, such as a media stream."""

    def caller_audio(self, frame: bytes) -> None:
        """Takes the next 20 ms spoken into the phone, silence included."""

    def digit(self, digit: str) -> None:
        """Takes a pressed key."""


class Phone:
    """Plays the ear given to `connected`, and sends the audio given to `speak`, in real time, until `hang_up`."""

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
        """Whether speech of the application or of another party is heard now; tunes do not count."""
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
        """How much has been heard, in ms since the call began; on a busy machine this lags behind the clock."""
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
        """While the context lasts, the phone hears `ear`, and `listener` (default: the one before) hears the phone."""
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
        """Presses one key; without a listener it is lost, as on a real call."""
        if self._listener is not None:
            self._listener.digit(digit)

    async def until(self, happened: Callable[[], bool], limit_ms: float) -> bool:
        """Waits until `happened()` is true, checked at every frame; False if `limit_ms` passed first.

        Raises CallEndedError if the call ends or has ended.
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
        """Waits for `duration_ms` of the call."""
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
