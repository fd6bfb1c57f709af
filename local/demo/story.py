"""The caller of the demo: what they say and when. The checks hold the call against this story."""

from dataclasses import dataclass, field
from typing import Final

from local.simulation import CALLER_VOICE
from local.speech import speak
from local.twilio import Line

HOURS: Final = "What are the opening hours of the restaurant?"
BOOKING: Final = "I would like to book a room."
YES: Final = "Yes please."
GOODBYE: Final = "Thank you, goodbye."
SAID: Final = (HOURS, BOOKING, YES, GOODBYE)

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
    """Hears the greeting out, asks, breaks in on the answer, accepts a person, says goodbye and waits for the end."""

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
        await self._say(line, GOODBYE)
        await line.listen_until_quiet(limit_ms=60_000)

    async def _say(self, line: Line, words: str) -> None:
        """Says it to its end, and waits until the answer begins."""
        began = line.now_ms
        await line.say(speak(words, CALLER_VOICE))
        ended = line.now_ms
        self.exchanges[words] = Exchange(began, ended, None)
        await line.wait_until_hearing()
        self.exchanges[words] = Exchange(began, ended, line.now_ms)
