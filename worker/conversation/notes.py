"""Notes to the model that neither side said; kept in the transcript so that a later session gets them as well."""

from worker.conversation.effects import EffectQueue
from worker.conversation.transcript import Transcript
from worker.engines.realtime.session import remember
from worker.engines.realtime.turns import Purpose, TurnTaking


class Notes:
    """Adds notes to the conversation. `now` is in ms since the call started."""

    def __init__(self, effects: EffectQueue, transcript: Transcript, turn_taking: TurnTaking) -> None:
        self._effects = effects
        self._transcript = transcript
        self._turn_taking = turn_taking

    def keep(self, text: str, now: float) -> None:
        """Adds a note; the model sees it in its next response."""
        self._transcript.note(text, now)
        self._effects.to_model(remember("tool", text))

    def tell(self, text: str, now: float) -> None:
        """Adds a note and requests a response about it."""
        self.keep(text, now)
        self._turn_taking.request(Purpose.TOOL_OUTPUT)
