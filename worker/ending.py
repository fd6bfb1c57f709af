"""How the agent ends a call: a goodbye that is heard to its end, and only then the line is closed."""

from dataclasses import dataclass
from typing import Final

from worker.effects import Timer
from worker.outbox import Outbox
from worker.turns import Finished, Reason, Turns

# Long enough for a sentence or two; a goodbye that gets stuck must not hold the line.
_GOODBYE_MS: Final = 20_000


@dataclass(slots=True)
class _Goodbye:
    reason: str
    words: str  # instructions for saying it
    final: bool  # not even the caller's speaking calls it off
    decided_in: str | None = None  # the response whose own words may be the goodbye already
    said: bool = False


class Ending:
    """No goodbye, one that is to be said, or one that was said and is being heard."""

    def __init__(self, outbox: Outbox, turns: Turns) -> None:
        self._outbox = outbox
        self._turns = turns
        self._goodbye: _Goodbye | None = None

    @property
    def underway(self) -> bool:
        return self._goodbye is not None

    @property
    def said(self) -> str | None:
        """Why the call ends, once the goodbye has been said (though perhaps not yet heard)."""
        return self._goodbye.reason if self._goodbye and self._goodbye.said else None

    @property
    def reason(self) -> str | None:
        return self._goodbye.reason if self._goodbye else None

    def say_goodbye(self, reason: str, words: str, *, final: bool = False) -> None:
        """Ends the call with a goodbye of its own, as soon as the agent has the floor."""
        self._start(_Goodbye(reason, words, final))
        self._turns.want(Reason.FAREWELL, words)

    def after_response(self, reason: str, words: str, response_id: str) -> None:
        """Ends the call once this response is over; what it says itself counts as the goodbye."""
        if not self.underway:
            self._start(_Goodbye(reason, words, final=False, decided_in=response_id))

    def _start(self, goodbye: _Goodbye) -> None:
        self._goodbye = goodbye
        self._outbox.set(Timer.FAREWELL, _GOODBYE_MS)

    def response_over(self, response_id: str, finished: Finished) -> None:
        goodbye = self._goodbye
        if goodbye is None or goodbye.said:
            return
        is_farewell = finished.need is not None and finished.need.reason is Reason.FAREWELL
        if goodbye.decided_in == response_id:
            goodbye.decided_in = None
            goodbye.said = finished.spoke and not finished.muted
            if not goodbye.said:
                self._turns.want(Reason.FAREWELL, goodbye.words)
        elif is_farewell:
            goodbye.said = True

    def session_lost(self) -> None:
        """A goodbye that was not said to its end is said by the next session."""
        if self._goodbye and not self._goodbye.said:
            self._goodbye.decided_in = None
            self._turns.drop(Reason.FAREWELL)
            self._turns.want(Reason.FAREWELL, self._goodbye.words)

    def caller_interrupts(self) -> None:
        """The caller has more to say: the goodbye is called off, unless it is final."""
        if self._goodbye and not self._goodbye.final:
            self._goodbye = None
            self._turns.drop(Reason.FAREWELL)
            self._outbox.cancel(Timer.FAREWELL)
