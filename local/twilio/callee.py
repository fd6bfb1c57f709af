"""Who is called: what a phone of the simulation does when it rings."""

from dataclasses import dataclass, field
from typing import Protocol

from local.twilio.audio_format import silence
from local.twilio.line import Caller
from local.twilio.person import Act, HangUp, Person, Say, Wait
from local.twilio.sound import tone

PICKS_UP_AFTER_MS = 1500.0
VOICEMAIL_PICKS_UP_AFTER_MS = 5000.0
BEEP = tone((1000,), 400, 0.3)


@dataclass(frozen=True)
class Reaction:
    """What comes of one ringing: after so many ms `script` picks up or, without one, the call has this status."""

    after_ms: float | None  # None: it rings on
    script: Caller | None = None
    status: str = "no-answer"
    rings: bool = True


class Callee(Protocol):
    """The phone at a number."""

    def rings(self) -> Reaction:
        """Somebody calls."""


class Answers:
    """Somebody who picks up, does one act after the other, and stays on the line until the other side hangs up."""

    def __init__(self, *acts: Act, after_ms: float = PICKS_UP_AFTER_MS) -> None:
        self._acts, self._after_ms = acts, after_ms

    def rings(self) -> Reaction:
        """They pick up."""
        return Reaction(self._after_ms, Person(*self._acts))


@dataclass(frozen=True)
class PicksUp:
    """A script of one's own that picks up."""

    script: Caller
    after_ms: float = PICKS_UP_AFTER_MS

    def rings(self) -> Reaction:
        """It picks up."""
        return Reaction(self.after_ms, self.script)


class NeverAnswers:
    """A phone that rings on and on."""

    def rings(self) -> Reaction:
        """Nobody comes."""
        return Reaction(None)


class Busy:
    """A line on which somebody talks."""

    def rings(self) -> Reaction:
        """The busy signal."""
        return Reaction(200, status="busy", rings=False)


@dataclass(frozen=True)
class Declines:
    """Somebody who sees who calls and presses the red button; a carrier tells Twilio that the line is busy."""

    after_ms: float = PICKS_UP_AFTER_MS

    def rings(self) -> Reaction:
        """They decline."""
        return Reaction(self.after_ms, status="busy")


class Unreachable:
    """A number that looks right and that nobody has; so is every number without a phone in the simulation."""

    def rings(self) -> Reaction:
        """The network knows no such number."""
        return Reaction(200, status="failed", rings=False)


@dataclass(frozen=True)
class Voicemail:
    """A machine: it picks up, plays its greeting, beeps, records for a while and hangs up. It presses no keys."""

    greeting: bytes = field(default=tone((300,), 3000, 0.2), repr=False)
    records_ms: float = 20_000
    after_ms: float = VOICEMAIL_PICKS_UP_AFTER_MS

    def rings(self) -> Reaction:
        """It picks up."""
        greeting = self.greeting + silence(300) + BEEP
        return Reaction(self.after_ms, Person(Say(greeting), Wait(self.records_ms), HangUp()))


class InTurn:
    """One callee at the first call, the next at the next; the last one from then on."""

    def __init__(self, *callees: Callee) -> None:
        self._callees = callees

    def rings(self) -> Reaction:
        """The next one's turn."""
        first, *others = self._callees
        self._callees = tuple(others) or self._callees
        return first.rings()
