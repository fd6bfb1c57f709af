"""What a caller's script can do with its phone: speak, listen, press keys, hang up."""

from collections.abc import Callable
from typing import Protocol

from local.twilio.audio_format import BYTES_PER_MS, milliseconds
from local.twilio.phone import CallEndedError, Phone

KEYS = frozenset("0123456789*#ABCD")
KEY_GAP_MS = 200.0
SPEAKING_LIMIT_MS = 60_000.0  # beyond a clip's own length


class CallerGaveUpError(Exception):
    """What the caller waited for did not come in time; the text says what and how long."""


class Line:
    """A caller's end of the call. Times are ms of the call; audio is mu-law, 8 kHz.

    Every method raises CallEndedError when the call is over; a script need not catch it.
    """

    def __init__(self, phone: Phone, hang_up: Callable[[], None], note: Callable[[str, str], None]) -> None:
        self._phone = phone
        self._hang_up = hang_up
        self._note = note

    @property
    def hearing(self) -> bool:
        """Whether the agent's audio is playing now."""
        return self._phone.hearing

    @property
    def now_ms(self) -> float:
        """Milliseconds since the call began."""
        return self._phone.now_ms

    async def say(self, audio: bytes) -> None:
        """Says a clip to its end, whatever the agent does meanwhile."""
        self._note("caller speaks", f"{milliseconds(len(audio)):.0f} ms")
        self._phone.speak(audio)
        limit = self._phone.unsaid_ms + SPEAKING_LIMIT_MS
        await self._expect(lambda: not self._phone.unsaid_ms, limit, "its own words to be said")

    async def wait(self, duration_ms: float) -> None:
        """Stays silent for a while."""
        await self._phone.wait(duration_ms)

    async def wait_until_hearing(self, limit_ms: float = 30_000) -> None:
        """Waits for the agent to speak; raises CallerGaveUpError when it does not in `limit_ms`."""
        await self._expect(lambda: self._phone.hearing, limit_ms, "the agent to speak")

    async def wait_until_with_others(self, limit_ms: float = 60_000) -> None:
        """Waits to be connected with another person; raises CallerGaveUpError when that is not so in `limit_ms`."""
        await self._expect(lambda: self._phone.with_others, limit_ms, "another person to be on the line")

    async def listen_until_quiet(self, quiet_ms: float = 1000, limit_ms: float = 120_000) -> None:
        """Waits until nothing has been heard for `quiet_ms`, counted from now at the earliest."""
        last_heard = self.now_ms

        def is_quiet() -> bool:
            nonlocal last_heard
            if self._phone.hearing:
                last_heard = self.now_ms
            return self.now_ms - last_heard >= quiet_ms

        await self._expect(is_quiet, limit_ms, f"the agent to be quiet for {quiet_ms:.0f} ms")

    async def listen(self, quiet_ms: float = 1000, limit_ms: float = 120_000) -> bytes:
        """Hears the agent's next words to their end; returns what came to the ear, mu-law."""
        began = len(self._phone.heard)
        await self.wait_until_hearing(limit_ms)
        await self.listen_until_quiet(quiet_ms, limit_ms)
        return bytes(self._phone.heard[began : len(self._phone.heard) - int(quiet_ms * BYTES_PER_MS)])

    async def press(self, digits: str) -> None:
        """Presses keys one after the other; raises ValueError for a key that no phone has."""
        if wrong := set(digits) - KEYS:
            raise ValueError(f"no phone has the keys {sorted(wrong)}; there are 0-9, *, # and A-D")
        for digit in digits:
            self._note("key", digit)
            self._phone.press(digit)
            await self._phone.wait(KEY_GAP_MS)

    async def hang_up(self) -> None:
        """Hangs up."""
        self._hang_up()

    async def _expect(self, happened: Callable[[], bool], limit_ms: float, what: str) -> None:
        if not await self._phone.until(happened, limit_ms):
            raise CallerGaveUpError(f"the caller waited {limit_ms:.0f} ms for {what}, in vain")


class Caller(Protocol):
    """Whoever phones: `run` is called when the call is answered."""

    async def run(self, line: Line) -> None:
        """Lives through the call. Returning early leaves the line open until the other side hangs up; once the call is
        over, a script that does not return within five seconds is cancelled.
        """


__all__ = ["CallEndedError", "Caller", "CallerGaveUpError", "Line"]
