"""What the model is told that nobody said: kept in the transcript, so that a later session knows it too."""

from worker.conversation.effects import EffectQueue
from worker.conversation.transcript import Transcript
from worker.engines.realtime.session import remember
from worker.engines.realtime.turns import Purpose, TurnTaking


class Notes:
    """Puts news into the conversation. `now` is in ms since the call started."""

    def __init__(self, effects: EffectQueue, transcript: Transcript, turns: TurnTaking) -> None:
        self._effects = effects
        self._transcript = transcript
        self._turns = turns

    def keep(self, news: str, now: float) -> None:
        """The model knows it when it speaks next."""
        self._transcript.note(news, now)
        self._effects.to_model(remember("tool", news))

    def tell(self, news: str, now: float) -> None:
        """The model knows it, and is to say something about it."""
        self.keep(news, now)
        self._turns.request(Purpose.TOOL_OUTPUT)
