"""The phone's keys: presses are collected until the caller pauses, because the model gets them as one text."""

from typing import Final

from worker.conversation import prompts
from worker.conversation.effects import EffectQueue, Timer
from worker.conversation.transcript import Transcript

_PAUSE_MS: Final = 1_500


class Keypad:
    """The keys pressed since the last text to the model."""

    def __init__(self, effects: EffectQueue) -> None:
        self._effects = effects
        self._keys = ""

    @property
    def pressed(self) -> bool:
        return bool(self._keys)

    def press(self, key: str) -> None:
        """Stores a key; the timer fires after a pause, or at once after `#`, which callers know as "enter"."""
        self._keys += key
        self._effects.set(Timer.KEYPAD, 0 if key == "#" else _PAUSE_MS)

    def tell_model(self, transcript: Transcript, now: float) -> None:
        """Sends the keys to the model as a text of the caller, because the model cannot hear them."""
        text, self._keys = prompts.keys_pressed(self._keys), ""
        item_id = f"keys_{int(now)}"
        transcript.caller_said(item_id, text, now)
        content = [{"type": "input_text", "text": text}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        self._effects.to_model({"type": "conversation.item.create", "item": item})
