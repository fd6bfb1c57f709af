"""What a stream's pace tells: Twilio sends fifty frames a second, silence included, and never many times that."""

from typing import Final

# A line without a frame for so long is dead, whatever TCP believes of it.
_QUIET_S: Final = 8.0
LOOK_EVERY_S: Final = 2.0
# Between two looks Twilio sends about a hundred messages; after a stall of some seconds, what had piled up.
_MOST_BETWEEN_LOOKS: Final = 2_000


class StreamWatch:
    """Counts messages between two looks. Time is in seconds, on any clock that only goes forward."""

    def __init__(self, now: float) -> None:
        self._heard_at = now
        self._count = 0

    def message(self) -> bool:
        """Notes a message; False if there have been more than Twilio could have sent."""
        self._count += 1
        return self._count <= _MOST_BETWEEN_LOOKS

    def look(self, now: float) -> bool:
        """False if nothing has been heard for too long."""
        if self._count:
            self._heard_at, self._count = now, 0
        return now - self._heard_at < _QUIET_S
