"""What a stream's pace tells: Twilio sends fifty frames a second, silence included, and never many times that."""

from typing import Final

# A line without a frame for so long is dead, whatever TCP believes of it.
_QUIET_S: Final = 8.0
POLL_INTERVAL_S: Final = 2.0
# Between two looks Twilio sends about a hundred frames; after a stall of some seconds, what had piled up.
_MOST_BETWEEN_LOOKS: Final = 2_000


class StreamWatchdog:
    """Counts frames of every kind between two looks. Time is in seconds, on any clock that only goes forward.

    An empty frame costs as much to read as a message, so pings, pongs and fragments count as well.
    """

    def __init__(self, now: float) -> None:
        self._heard_at = now
        self._heard = False
        self._count = 0

    def message(self) -> bool:
        """Notes a message; False if there have been more frames than Twilio could have sent."""
        self._heard = True
        return self.other_frames(1)

    def other_frames(self, count: int) -> bool:
        """Notes frames that bring no message, and show no life; False as for `message`."""
        self._count += count
        return self._count <= _MOST_BETWEEN_LOOKS

    def check(self, now: float) -> bool:
        """False if nothing has been heard for too long."""
        if self._heard:
            self._heard_at = now
        self._heard, self._count = False, 0
        return now - self._heard_at < _QUIET_S
