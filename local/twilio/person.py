"""Simulated people: what a script can do on the phone, acts to build a script from, and phones' reactions to a call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from local.audio.speech import BYTES_PER_MS, milliseconds, silence, tone
from local.twilio.phone import Phone

KEYS = frozenset("0123456789*#ABCD")
KEY_GAP_MS = 200.0
SPEAKING_LIMIT_MS = 60_000.0  # more than a clip's length
PICKS_UP_AFTER_MS = 1500.0
VOICEMAIL_PICKS_UP_AFTER_MS = 5000.0


class CallerGaveUpError(Exception):
    """The caller waited too long; the message says for what and how long."""


class Line:
    """A caller's end of the call. Times are ms of the call; audio is mu-law, 8 kHz.

    Every method raises CallEndedError if the call is over; a script need not catch it.
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
        """Says a clip to its end, also if the agent speaks meanwhile."""
        self._note("caller speaks", f"{milliseconds(len(audio)):.0f} ms")
        self._phone.speak(audio)
        limit = self._phone.unsaid_ms + SPEAKING_LIMIT_MS
        await self._expect(lambda: not self._phone.unsaid_ms, limit, "its own words to be said")

    async def wait(self, duration_ms: float) -> None:
        """Stays silent for `duration_ms`."""
        await self._phone.wait(duration_ms)

    async def wait_until_hearing(self, limit_ms: float = 30_000) -> None:
        """Waits for the agent to speak; raises CallerGaveUpError after `limit_ms`."""
        await self._expect(lambda: self._phone.hearing, limit_ms, "the agent to speak")

    async def wait_until_with_others(self, limit_ms: float = 60_000) -> None:
        """Waits to be connected with another person; raises CallerGaveUpError after `limit_ms`."""
        await self._expect(lambda: self._phone.with_others, limit_ms, "another person to be on the line")

    async def listen_until_quiet(self, quiet_ms: float = 1000, limit_ms: float = 120_000) -> None:
        """Waits until nothing has been heard for `quiet_ms`, starting now."""
        last_heard = self.now_ms

        def is_quiet() -> bool:
            nonlocal last_heard
            if self._phone.hearing:
                last_heard = self.now_ms
            return self.now_ms - last_heard >= quiet_ms

        await self._expect(is_quiet, limit_ms, f"the agent to be quiet for {quiet_ms:.0f} ms")

    async def listen(self, quiet_ms: float = 1000, limit_ms: float = 120_000) -> bytes:
        """Hears the agent's next words to their end; returns the audio heard, as mu-law."""
        began = len(self._phone.heard)
        await self.wait_until_hearing(limit_ms)
        await self.listen_until_quiet(quiet_ms, limit_ms)
        return bytes(self._phone.heard[began : len(self._phone.heard) - int(quiet_ms * BYTES_PER_MS)])

    async def press(self, digits: str) -> None:
        """Presses keys one after the other; raises ValueError for an unknown key."""
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
            raise CallerGaveUpError(f"the caller waited {limit_ms:.0f} ms for {what}")


class Caller(Protocol):
    """A caller's script: `run` is called when the call is answered."""

    async def run(self, line: Line) -> None:
        """Plays the caller's part of the call.

        If it returns early, the line stays open until the other side hangs up. It is cancelled five seconds after the
        end of the call.
        """


class Act(Protocol):
    """One thing a person does on the phone."""

    async def perform(self, line: Line) -> None:
        """Does it, and returns when it is done."""


@dataclass(frozen=True)
class Listen:
    """Hears the agent's next words to their end, marked by `quiet_ms` of silence."""

    quiet_ms: float = 1000
    limit_ms: float = 120_000

    async def perform(self, line: Line) -> None:
        """Waits for the agent's first sound, then for the silence."""
        await line.listen(self.quiet_ms, self.limit_ms)


@dataclass(frozen=True)
class Hear:
    """Waits until the agent or a person speaks, and listens for a while."""

    duration_ms: float = 200
    limit_ms: float = 120_000

    async def perform(self, line: Line) -> None:
        """Waits for the first sound, then listens."""
        await line.wait_until_hearing(self.limit_ms)
        await line.wait(self.duration_ms)


@dataclass(frozen=True)
class Meet:
    """Waits to be connected with another person, after hold music and ringing."""

    limit_ms: float = 60_000

    async def perform(self, line: Line) -> None:
        """Waits for the connection."""
        await line.wait_until_with_others(self.limit_ms)


@dataclass(frozen=True)
class Say:
    """Says a clip of mu-law audio."""

    audio: bytes

    async def perform(self, line: Line) -> None:
        """Says it to its end."""
        await line.say(self.audio)


@dataclass(frozen=True)
class Wait:
    """Stays silent."""

    duration_ms: float

    async def perform(self, line: Line) -> None:
        """Waits."""
        await line.wait(self.duration_ms)


@dataclass(frozen=True)
class Press:
    """Presses keys."""

    digits: str

    async def perform(self, line: Line) -> None:
        """Presses one after the other."""
        await line.press(self.digits)


@dataclass(frozen=True)
class HangUp:
    """Hangs up."""

    async def perform(self, line: Line) -> None:
        """Ends the call."""
        await line.hang_up()


class Person:
    """A caller who performs acts in order, then stays on the line until the other side hangs up."""

    def __init__(self, *acts: Act) -> None:
        self.acts = acts

    async def run(self, line: Line) -> None:
        """Performs the acts in order."""
        for act in self.acts:
            await act.perform(line)


@dataclass(frozen=True)
class Reaction:
    """A phone's reaction to a call: after `after_ms`, `script` picks up; without a script the call gets `status`."""

    after_ms: float | None  # None: it rings without end
    script: Caller | None = None
    status: str = "no-answer"
    rings: bool = True


class Callee(Protocol):
    """The phone at a number."""

    def rings(self) -> Reaction:
        """Returns the phone's reaction to a call."""


class Answers:
    """Picks up, performs acts in order, and stays on the line until the other side hangs up."""

    def __init__(self, *acts: Act, after_ms: float = PICKS_UP_AFTER_MS) -> None:
        self._acts, self._after_ms = acts, after_ms

    def rings(self) -> Reaction:
        """They pick up."""
        return Reaction(self._after_ms, Person(*self._acts))


@dataclass(frozen=True)
class PicksUp:
    """Picks up with the given script."""

    script: Caller
    after_ms: float = PICKS_UP_AFTER_MS

    def rings(self) -> Reaction:
        """It picks up."""
        return Reaction(self.after_ms, self.script)


class NeverAnswers:
    """A phone that rings without an answer."""

    def rings(self) -> Reaction:
        """It rings without end."""
        return Reaction(None)


class Busy:
    """A line that is busy."""

    def rings(self) -> Reaction:
        """The busy signal."""
        return Reaction(200, status="busy", rings=False)


@dataclass(frozen=True)
class Declines:
    """Declines the call; the carrier tells Twilio that the line is busy."""

    after_ms: float = PICKS_UP_AFTER_MS

    def rings(self) -> Reaction:
        """They decline."""
        return Reaction(self.after_ms, status="busy")


class Unreachable:
    """A valid number that is not in use, like every number without a phone in the simulation."""

    def rings(self) -> Reaction:
        """The call fails."""
        return Reaction(200, status="failed", rings=False)


@dataclass(frozen=True)
class Voicemail:
    """Voicemail: picks up, plays its greeting, beeps, records for a while and hangs up. It presses no keys."""

    greeting: bytes = field(default=tone(3000, 300, 0.2), repr=False)
    records_ms: float = 20_000
    after_ms: float = VOICEMAIL_PICKS_UP_AFTER_MS

    def rings(self) -> Reaction:
        """It picks up."""
        greeting = self.greeting + silence(300) + tone(400, 1000)
        return Reaction(self.after_ms, Person(Say(greeting), Wait(self.records_ms), HangUp()))
