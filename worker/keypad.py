"""The phone's keys: presses are gathered until the caller pauses, because the model gets them as one text."""

from typing import Final

from worker.effects import Timer
from worker.outbox import Outbox

_PAUSE_MS: Final = 1_500


class Keypad:
    """The keys pressed since they were last taken."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._keys = ""

    @property
    def pressed(self) -> bool:
        return bool(self._keys)

    def press(self, key: str) -> None:
        """Notes a key; the timer fires when the caller pauses, and at once after `#`, which callers know as "enter"."""
        self._keys += key
        self._outbox.set(Timer.KEYPAD, 0 if key == "#" else _PAUSE_MS)

    def take(self) -> str:
        keys, self._keys = self._keys, ""
        return keys
