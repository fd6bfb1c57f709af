"""Acts of callers in the whole-path tests, in addition to those in `local.twilio.person`."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local.twilio import Line


@dataclass(frozen=True)
class Do:
    """Runs a function in the middle of the call."""

    action: Callable[[], object | Awaitable[object]]

    async def perform(self, _line: Line) -> None:
        """Calls the function, and awaits it if it is async."""
        done = self.action()
        if inspect.isawaitable(done):
            await done


@dataclass(frozen=True)
class Hear:
    """Waits for the agent's next words, and listens to them for a while."""

    ms: float

    async def perform(self, line: Line) -> None:
        """Waits for the first sound, then listens."""
        await line.wait_until_hearing()
        await line.wait(self.ms)
