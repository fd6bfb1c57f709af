"""What the caller and the person on call say and do in the demo, and when. The checks compare the call with it."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from local.audio.speech import speak
from local.demo.browser import Browser
from local.stack.simulation import CALLER_VOICE, ON_CALL
from local.twilio import Line, Message, SimulatedTwilio

HOURS: Final = "What are the opening hours of the restaurant?"
BOOKING: Final = "I would like to book a room."
YES: Final = "Yes please."
SAID: Final = (HOURS, BOOKING, YES)

MARIA_SAYS: Final = "Good day, this is Maria Lopez. Which night would you like the room for?"
TO_MARIA: Final = "For the night of Friday, please. Thank you, goodbye."

BARGES_IN_AFTER_MS: Final = 2000
PAUSE_MS: Final = 700  # of silence, after which people take the agent's words to be over

MARIA, BEN = ON_CALL
MARIA_VOICE: Final = "en-us+f4"
NAME: Final = "Maria Lopez"
ROSTER: Final = f"""
[[tiers]]
accept_within_s = 120
people = ["maria", "ben"]

[people.maria]
name = "{NAME}"
phone = "{MARIA}"

[people.ben]
name = "Ben Okafor"
phone = "{BEN}"
"""

_LOOKS_AFTER_S: Final = 2.0  # until she has picked up her phone to read the alert
_READS_S: Final = 2.0
_ALERTED_WITHIN_S: Final = 60.0
_LINK: Final = re.compile(r"https://\S+$")


@dataclass(frozen=True)
class Exchange:
    """When the caller said something, and when the answer came; all in ms of the call."""

    began_ms: float
    ended_ms: float
    answered_ms: float | None  # the first sound of the answer


@dataclass
class Caller:
    """Hears the greeting, asks, interrupts the answer, accepts a person, waits for her, talks and hangs up."""

    shows: Callable[[str, str], None]  # told (who, words) for what the model does not hear
    exchanges: dict[str, Exchange] = field(default_factory=dict)

    async def run(self, line: Line) -> None:
        """Plays the caller's part of the call."""
        await line.listen(PAUSE_MS)
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
        """Says the words to their end, and waits until the answer begins."""
        began = line.now_ms
        await line.say(speak(words, CALLER_VOICE))
        ended = line.now_ms
        self.exchanges[words] = Exchange(began, ended, None)
        await line.wait_until_hearing()
        self.exchanges[words] = Exchange(began, ended, line.now_ms)


class Maria:
    """The person on call who takes the caller over. `shows` is told (who, what), for the terminal."""

    def __init__(self, twilio: SimulatedTwilio, shows: Callable[[str, str], None]) -> None:
        self._twilio = twilio
        self._shows = shows

    async def take_the_call(self) -> datetime:
        """Waits for the alert, opens its link and taps; returns the moment of the tap.

        Raises NothingToTapError if the page has no button.
        """
        alert = await self._alert()
        await asyncio.sleep(_LOOKS_AFTER_S)
        link = _LINK.search(alert.body)
        if link is None:
            raise ValueError("the alert does not end with a link")
        async with Browser(self._twilio.exchange.address_of) as browser:
            page = await browser.open(link[0])
            self._shows("maria", f"opens the link and reads: {page.headline}")
            await asyncio.sleep(_READS_S)
            self._shows("maria", f"taps: {page.button}")
            tapped_at = datetime.now(UTC)
            page = await browser.tap(page)
        self._shows("maria", f"reads: {page.headline}")
        return tapped_at

    async def _alert(self) -> Message:
        alerts = await self._twilio.wait_for_messages(len(ON_CALL), _ALERTED_WITHIN_S)
        return next(alert for alert in alerts if alert.to == MARIA)

    async def run(self, line: Line) -> None:
        """Her part of the call to her phone: hears the summary, presses 1, waits for the caller and talks."""
        self._shows("maria", "picks up her phone")
        await line.listen(PAUSE_MS)
        self._shows("maria", "has heard what it is about, and presses 1")
        await line.press("1")
        await line.wait_until_with_others()
        self._shows("maria", MARIA_SAYS)
        await line.say(speak(MARIA_SAYS, MARIA_VOICE))
