"""The person on call in the demo: reads the alert, opens its link, takes the call with a tap, and talks."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from local.demo.browser import Browser
from local.demo.story import MARIA_SAYS
from local.simulation import ON_CALL
from local.speech import speak
from local.twilio import Line, Message, SimulatedTwilio

MARIA, BEN = ON_CALL
VOICE: Final = "en-us+f4"
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

_LOOKS_AFTER_S: Final = 2.0  # until somebody has the phone in the hand
_READS_S: Final = 2.0
_ALERTED_WITHIN_S: Final = 60.0
_PAUSE_MS: Final = 700
_LINK: Final = re.compile(r"https://\S+$")


class Maria:
    """Takes the call. `shows` gets who does what, for the terminal."""

    def __init__(self, twilio: SimulatedTwilio, shows: Callable[[str, str], None]) -> None:
        self._twilio = twilio
        self._shows = shows

    async def take_the_call(self) -> datetime:
        """From the alert to the tap, whose moment it gives; raises NothingToTapError when the page lets her not."""
        alert = await self._alert()
        await asyncio.sleep(_LOOKS_AFTER_S)
        link = _LINK.search(alert.body)
        if link is None:
            raise ValueError("the alert ends without a link")
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
        """On her phone: hears what it is about, presses 1, waits for the caller and talks."""
        self._shows("maria", "picks up her phone")
        await line.listen(_PAUSE_MS)
        self._shows("maria", "has heard what it is about, and presses 1")
        await line.press("1")
        await line.wait_until_with_others()
        self._shows("maria", MARIA_SAYS)
        await line.say(speak(MARIA_SAYS, VOICE))
