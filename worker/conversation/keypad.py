"""The phone's keys: presses are gathered until the caller pauses, because the model gets them as one text."""

from typing import Final

from worker.conversation import prompts
from worker.conversation.effects import EffectQueue, Timer
from worker.conversation.transcript import Transcript

_PAUSE_MS: Final = 1_500


class Keypad:
    """The keys pressed since the model was last told of them."""

    def __init__(self, effects: EffectQueue) -> None:
        self._effects = effects
        self._keys = ""

    @property
    def pressed(self) -> bool:
        return bool(self._keys)

    def press(self, key: str) -> None:
        """Notes a key; the timer fires when the caller pauses, and at once after `#`, which callers know as "enter"."""
        self._keys += key
        self._effects.set(Timer.KEYPAD, 0 if key == "#" else _PAUSE_MS)

    def tell_model(self, transcript: Transcript, now: float) -> None:
        """Gives the keys to the model as the caller's words; it cannot hear them."""
        text, self._keys = prompts.keys_pressed(self._keys), ""
        item_id = f"keys_{int(now)}"
        transcript.caller_said(item_id, text, now)
        content = [{"type": "input_text", "text": text}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        self._effects.to_model({"type": "conversation.item.create", "item": item})
