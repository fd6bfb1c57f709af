"""A person who follows a script: says clips, hears others out, breaks in, presses keys, hangs up."""

from dataclasses import dataclass
from typing import Protocol

from local.twilio.line import Line


class Act(Protocol):
    """One thing a person does on the phone."""

    async def perform(self, line: Line) -> None:
        """Does it, to its end."""


@dataclass(frozen=True)
class Listen:
    """Hears the agent's next words to their end, which is `quiet_ms` of silence."""

    quiet_ms: float = 1000
    limit_ms: float = 120_000

    async def perform(self, line: Line) -> None:
        """Waits for the agent's first sound, then for the silence."""
        await line.listen(self.quiet_ms, self.limit_ms)


@dataclass(frozen=True)
class Hear:
    """Waits for the agent, or whoever is there, to speak, and hears so much of it."""

    duration_ms: float = 200
    limit_ms: float = 120_000

    async def perform(self, line: Line) -> None:
        """Waits for the first sound, and then on."""
        await line.wait_until_hearing(self.limit_ms)
        await line.wait(self.duration_ms)


@dataclass(frozen=True)
class Meet:
    """Waits to be connected with another person: hold music and ringing are over."""

    limit_ms: float = 60_000

    async def perform(self, line: Line) -> None:
        """Waits for it."""
        await line.wait_until_with_others(self.limit_ms)


@dataclass(frozen=True)
class Say:
    """Says a clip of mu-law audio."""

    audio: bytes

    async def perform(self, line: Line) -> None:
        """Says it to its end."""
        await line.say(self.audio)


@dataclass(frozen=True)
class BargeIn:
    """Says a clip while the agent speaks, `after_ms` from the agent's first sound."""

    audio: bytes
    after_ms: float = 1000
    limit_ms: float = 120_000

    async def perform(self, line: Line) -> None:
        """Waits for the agent's first sound, lets it speak a while, and speaks."""
        await line.wait_until_hearing(self.limit_ms)
        await line.wait(self.after_ms)
        await line.say(self.audio)


@dataclass(frozen=True)
class Wait:
    """Stays silent."""

    duration_ms: float

    async def perform(self, line: Line) -> None:
        """Lets the time pass."""
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
    """A caller who does one act after the other, and then stays on the line until the other side hangs up."""

    def __init__(self, *acts: Act) -> None:
        self.acts = acts

    async def run(self, line: Line) -> None:
        """Performs the acts in order."""
        for act in self.acts:
            await act.perform(line)
