"""The story of the demo: what is said by the people in it, and when. The checks hold the call against it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from local.simulation import CALLER_VOICE
from local.speech import speak
from local.twilio import Line

HOURS: Final = "What are the opening hours of the restaurant?"
BOOKING: Final = "I would like to book a room."
YES: Final = "Yes please."
SAID: Final = (HOURS, BOOKING, YES)

MARIA_SAYS: Final = "Good day, this is Maria Lopez. Which night would you like the room for?"
TO_MARIA: Final = "For the night of Friday, please. Thank you, goodbye."

BARGES_IN_AFTER_MS: Final = 2000
PAUSE_MS: Final = 700  # how long the agent is quiet before the caller takes it for the end of what it says


@dataclass(frozen=True)
class Exchange:
    """Something the caller said, and the answer: all in ms of the call."""

    began_ms: float
    ended_ms: float
    answered_ms: float | None  # the first sound of the answer


@dataclass
class Guest:
    """Hears the greeting out, asks, breaks in on the answer, accepts a person, waits for her, talks and hangs up."""

    shows: Callable[[str, str], None]  # gets who says what once no model hears it
    exchanges: dict[str, Exchange] = field(default_factory=dict)
    greeted: bool = False

    async def run(self, line: Line) -> None:
        """Lives through the call."""
        await line.listen(PAUSE_MS)
        self.greeted = True
        await self._say(line, HOURS)
        await line.wait(BARGES_IN_AFTER_MS)
        await self._say(line, BOOKING)
        await line.listen_until_quiet(PAUSE_MS)
        await self._say(line, YES)
        await line.listen_until_quiet(PAUSE_MS)
        await line.wait_until_with_others(limit_ms=60_000)
        await line.listen(PAUSE_MS)
        self.shows("caller", TO_MARIA)
        await line.say(speak(TO_MARIA, CALLER_VOICE))
        await line.hang_up()

    async def _say(self, line: Line, words: str) -> None:
        """Says it to its end, and waits until the answer begins."""
        began = line.now_ms
        await line.say(speak(words, CALLER_VOICE))
        ended = line.now_ms
        self.exchanges[words] = Exchange(began, ended, None)
        await line.wait_until_hearing()
        self.exchanges[words] = Exchange(began, ended, line.now_ms)
