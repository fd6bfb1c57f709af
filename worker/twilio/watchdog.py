"""Detects dead and flooding streams: Twilio sends 50 frames a second, silence included, and never many times that."""

from typing import Final

# A stream without a frame for so long is dead, even if its TCP connection is still open.
_QUIET_S: Final = 8.0
POLL_INTERVAL_S: Final = 2.0
# Between two checks Twilio sends about 100 frames; after a stall of some seconds, the backlog too.
_MAX_BETWEEN_CHECKS: Final = 2_000


class StreamWatchdog:
    """Counts frames of every kind between two checks. Times are in seconds, of any monotonic clock.

    Pings, pongs and fragments count as well, because an empty frame costs as much to read as a message.
    """

    def __init__(self, now: float) -> None:
        self._heard_at = now
        self._heard = False
        self._count = 0

    def message(self) -> bool:
        """Counts a message; False if there are more frames than Twilio could have sent."""
        self._heard = True
        return self.other_frames(1)

    def other_frames(self, count: int) -> bool:
        """Counts frames without a message, which do not show that the stream is alive; False as for `message`."""
        self._count += count
        return self._count <= _MAX_BETWEEN_CHECKS

    def check(self, now: float) -> bool:
        """False if no message has come for 8 s. Starts the next count."""
        if self._heard:
            self._heard_at = now
        self._heard, self._count = False, 0
        return now - self._heard_at < _QUIET_S
