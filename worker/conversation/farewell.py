"""How the agent ends its part of a call: it says its last words, and the stream closes when the caller has heard them.

The last words are a goodbye, or they say that a person takes over.
"""

from dataclasses import dataclass
from typing import Final

from shared.calls.ending import CallEnd
from worker.conversation.effects import EffectQueue, HangUp, Timer
from worker.engines.realtime.turns import Finished, Purpose, TurnTaking

# Long enough for a sentence or two. A goodbye that gets stuck must not keep the stream open.
_GOODBYE_MS: Final = 20_000
# The assignee waits on the phone meanwhile. Long enough for the agent to finish its present sentence first.
_HAND_OVER_MS: Final = 12_000


@dataclass(slots=True)
class _LastWords:
    end: HangUp
    words: str  # instructions for saying them
    final: bool  # True: speech of the caller does not cancel them
    decided_in: str | None = None  # the response that decided to end the call; it may contain the goodbye
    said: bool = False

    @property
    def hand_over(self) -> bool:
        return self.end.ended is CallEnd.TRANSFERRED


class Farewell:
    """Tracks the agent's last words: none, requested, or said and being played to the caller."""

    def __init__(self, effects: EffectQueue, turn_taking: TurnTaking) -> None:
        self._effects = effects
        self._turn_taking = turn_taking
        self._last: _LastWords | None = None

    @property
    def underway(self) -> bool:
        return self._last is not None

    @property
    def said(self) -> bool:
        """Whether the model has said the last words; the caller may not have heard them yet."""
        return self._last is not None and self._last.said

    @property
    def end(self) -> HangUp | None:
        """How the call ends once the caller has heard the last words, or the time for them is over."""
        return self._last.end if self._last else None

    @property
    def hand_over(self) -> HangUp | None:
        """The same as `end`, but only if the call goes to a person."""
        return self._last.end if self._last and self._last.hand_over else None

    @property
    def being_handed_over(self) -> bool:
        """The agent has said who takes over: it says nothing more, and the caller cannot interrupt."""
        return self.said and self.hand_over is not None

    def say_goodbye(self, reason: str, words: str, *, final: bool = False) -> None:
        """Ends the call with a goodbye in a response of its own, as soon as the agent may speak."""
        if not self.hand_over:
            self._start(_LastWords(HangUp(CallEnd.AGENT_HUNG_UP, reason), words, final), _GOODBYE_MS)
            self._turn_taking.request(Purpose.FAREWELL, words)

    def after_response(self, reason: str, words: str, response_id: str) -> None:
        """Ends the call after this response. Its own audio counts as the goodbye; without audio one is requested."""
        if not self.underway:
            end = HangUp(CallEnd.AGENT_HUNG_UP, reason)
            self._start(_LastWords(end, words, final=False, decided_in=response_id), _GOODBYE_MS)

    def hand_over_to_person(self, escalation_id: str, words: str) -> None:
        """Hands the call over to the assignee once the caller has heard who takes over; replaces a goodbye."""
        if not self.hand_over:
            self._turn_taking.withdraw(Purpose.FAREWELL)
            end = HangUp(CallEnd.TRANSFERRED, "person_ready", escalation_id)
            self._start(_LastWords(end, words, final=True), _HAND_OVER_MS)
            self._turn_taking.request(Purpose.FAREWELL, words)

    def _start(self, last: _LastWords, limit_ms: float) -> None:
        self._last = last
        self._effects.set(Timer.FAREWELL, limit_ms)

    def response_over(self, response_id: str, finished: Finished) -> None:
        """Handles the end of a response: it may have been the last words, or must be said again."""
        last = self._last
        if last is None or last.said:
            return
        unheard = finished.muted or not finished.spoke
        if last.decided_in == response_id:
            last.decided_in = None
            last.said = not unheard
            if unheard:
                self._turn_taking.request(Purpose.FAREWELL, last.words)
        elif finished.request is not None and last.words in (finished.request.instructions or ""):
            # An interrupted goodbye is enough. The sentence about who takes over must be heard in full.
            last.said = not (last.hand_over and finished.muted)
            if not last.said:
                self._turn_taking.request(Purpose.FAREWELL, last.words)

    def session_lost(self) -> None:
        """Has the next session say last words that the lost session did not finish."""
        if self._last and not self._last.said:
            self._last.decided_in = None
            self._turn_taking.withdraw(Purpose.FAREWELL)
            self._turn_taking.request(Purpose.FAREWELL, self._last.words)

    def caller_interrupts(self) -> None:
        """Cancels the goodbye, unless it is final: the caller has more to say."""
        if self._last and not self._last.final:
            self._cancel()

    def person_has_gone(self) -> None:
        """Cancels the hand-over: the assignee has hung up."""
        if self.hand_over:
            self._cancel()

    def _cancel(self) -> None:
        self._last = None
        self._turn_taking.withdraw(Purpose.FAREWELL)
        self._effects.cancel(Timer.FAREWELL)
