"""The time of a call: milliseconds since it began, real time unless a test asks for a faster clock."""

import asyncio
import time


class Clock:
    """Starts at 0 ms when it is made. With `speed` 4, four of its seconds pass in a real one."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}; it must be more than 0 (1.0 is real time)")
        self._speed = speed
        self._began = time.monotonic()

    @property
    def now_ms(self) -> float:
        """Milliseconds of this clock since it was made."""
        return (time.monotonic() - self._began) * 1000 * self._speed

    async def wait_until(self, at_ms: float) -> None:
        """Sleeps until `at_ms`; a moment that has passed only yields to the other tasks, so no lateness adds up."""
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms) / 1000 / self._speed))
