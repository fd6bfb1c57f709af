"""How the agent ends its part of a call: a last sentence that is heard to its end, and only then the line is closed.

The sentence is a goodbye, or it says that a person takes over.
"""

from dataclasses import dataclass
from typing import Final

from shared.calls.ending import CallEnd
from worker.conversation.effects import EffectQueue, HangUp, Timer
from worker.engines.realtime.turns import Finished, Purpose, TurnTaking

# Long enough for a sentence or two; a goodbye that gets stuck must not hold the line.
_GOODBYE_MS: Final = 20_000
# A person waits on the phone meanwhile. Long enough for the agent to finish what it is saying first.
_HAND_OVER_MS: Final = 12_000


@dataclass(slots=True)
class _LastWords:
    end: HangUp
    words: str  # instructions for saying them
    final: bool  # not even the caller's speaking calls them off
    decided_in: str | None = None  # the response whose own words may be the goodbye already
    said: bool = False

    @property
    def hand_over(self) -> bool:
        return self.end.ended is CallEnd.TRANSFERRED


class Farewell:
    """No last words, some that are to be said, or some that were said and are being heard."""

    def __init__(self, effects: EffectQueue, turns: TurnTaking) -> None:
        self._effects = effects
        self._turns = turns
        self._last: _LastWords | None = None

    @property
    def underway(self) -> bool:
        return self._last is not None

    @property
    def said(self) -> bool:
        """Whether the last words have been said (though perhaps not yet heard)."""
        return self._last is not None and self._last.said

    @property
    def end(self) -> HangUp | None:
        """What follows when the last words have been heard, or take too long."""
        return self._last.end if self._last else None

    @property
    def hand_over(self) -> HangUp | None:
        """What follows if it is to a person that the call goes."""
        return self._last.end if self._last and self._last.hand_over else None

    @property
    def being_handed_over(self) -> bool:
        """The caller has been told who takes over: nothing more is said, and nobody interrupts."""
        return self.said and self.hand_over is not None

    def say_goodbye(self, reason: str, words: str, *, final: bool = False) -> None:
        """Ends the call with a goodbye of its own, as soon as the agent has the floor."""
        if not self.hand_over:
            self._start(_LastWords(HangUp(CallEnd.AGENT_HUNG_UP, reason), words, final), _GOODBYE_MS)
            self._turns.request(Purpose.FAREWELL, words)

    def after_response(self, reason: str, words: str, response_id: str) -> None:
        """Ends the call once this response is over; what it says itself counts as the goodbye."""
        if not self.underway:
            end = HangUp(CallEnd.AGENT_HUNG_UP, reason)
            self._start(_LastWords(end, words, final=False, decided_in=response_id), _GOODBYE_MS)

    def hand_over_to_person(self, escalation_id: str, words: str) -> None:
        """Lets go of the call for the person who waits, once the caller has heard of it; no goodbye comes before."""
        if not self.hand_over:
            self._turns.withdraw(Purpose.FAREWELL)
            end = HangUp(CallEnd.TRANSFERRED, "person_ready", escalation_id)
            self._start(_LastWords(end, words, final=True), _HAND_OVER_MS)
            self._turns.request(Purpose.FAREWELL, words)

    def _start(self, last: _LastWords, limit_ms: float) -> None:
        self._last = last
        self._effects.set(Timer.FAREWELL, limit_ms)

    def response_over(self, response_id: str, finished: Finished) -> None:
        last = self._last
        if last is None or last.said:
            return
        unheard = finished.muted or not finished.spoke
        if last.decided_in == response_id:
            last.decided_in = None
            last.said = not unheard
            if unheard:
                self._turns.request(Purpose.FAREWELL, last.words)
        elif finished.request is not None and last.words in (finished.request.instructions or ""):
            # A goodbye that the caller talks into has done its work; who takes over must be heard.
            last.said = not (last.hand_over and finished.muted)
            if not last.said:
                self._turns.request(Purpose.FAREWELL, last.words)

    def session_lost(self) -> None:
        """Last words that were not said to their end are said by the next session."""
        if self._last and not self._last.said:
            self._last.decided_in = None
            self._turns.withdraw(Purpose.FAREWELL)
            self._turns.request(Purpose.FAREWELL, self._last.words)

    def caller_interrupts(self) -> None:
        """The caller has more to say: the goodbye is called off, unless it is final."""
        if self._last and not self._last.final:
            self._call_off()

    def person_has_gone(self) -> None:
        """There is nobody any more to hand the call over to."""
        if self.hand_over:
            self._call_off()

    def _call_off(self) -> None:
        self._last = None
        self._turns.withdraw(Purpose.FAREWELL)
        self._effects.cancel(Timer.FAREWELL)
