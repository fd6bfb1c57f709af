"""Things that callers of the whole-path tests do beside those that people do on the phone."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local.twilio import Line


@dataclass(frozen=True)
class Do:
    """Does something to the world in the midst of the call."""

    action: Callable[[], object | Awaitable[object]]

    async def perform(self, _line: Line) -> None:
        """Does it, and waits for it if it takes time."""
        done = self.action()
        if inspect.isawaitable(done):
            await done


@dataclass(frozen=True)
class Hear:
    """Waits for the agent's next words, and hears so much of them."""

    ms: float

    async def perform(self, line: Line) -> None:
        """Waits for the first sound, and then on."""
        await line.wait_until_hearing()
        await line.wait(self.ms)
