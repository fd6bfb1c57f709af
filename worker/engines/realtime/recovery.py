"""What becomes of errors, and of a response that failed: asked for once more, then of another session, or given up."""

from typing import Final

from worker.conversation.effects import EffectQueue, Timer
from worker.conversation.farewell import Farewell
from worker.engines.realtime.errors import Treatment, treatment_of
from worker.engines.realtime.events import ErrorBody
from worker.engines.realtime.tool_outputs import ToolOutputs
from worker.engines.realtime.turns import Purpose, ResponseRequest, TurnTaking

_RETRY_AFTER_MS: Final = 1_000
# In a row: more means that the server and we disagree about who has the floor.
_MAX_REFUSALS: Final = 5
# In a row: the first is tried again in the same session, the second in another one.
_MAX_FAILURES: Final = 2
# Sessions lost with no response in between that came to its end: as if something we say were what ends them.
_MAX_LOSSES: Final = 5


class Recovery:
    """Counts failures in a row. Each method gives the reason to give the call up, or None.

    An `error` event itself never leads to a `response.create`: what is to be tried again waits for the end of another
    response, or for a timer.
    """

    def __init__(self, effects: EffectQueue, turns: TurnTaking, tool_calls: ToolOutputs, farewell: Farewell) -> None:
        self._effects = effects
        self._turns = turns
        self._tool_calls = tool_calls
        self._farewell = farewell
        self._failures = 0
        self._refusals = 0
        self._losses = 0
        self._need: ResponseRequest | None = None
        self.session_useless = False  # what failed in it twice is to be tried in another one

    def succeeded(self) -> None:
        self._failures = self._refusals = self._losses = 0

    def error(self, error: ErrorBody, *, ready: bool) -> str | None:
        """An `error` event. Before the session is ready, most mean that there will be no session, now or later.

        What may pass does not: the server closes the socket after it, and the link then opens another.
        """
        code = error.code or error.type or "unknown"
        treatment = treatment_of(error)
        if not ready and treatment not in (Treatment.IGNORE, Treatment.RETRY):
            return f"session_rejected: {code} {error.param or ''}".rstrip()
        if treatment is Treatment.FATAL:
            return code
        if treatment is Treatment.REFUSED:
            return self.refused()
        about_request = error.event_id == self._turns.request_event_id
        if self._turns.requested and (about_request or treatment is Treatment.RETRY):
            return self.request_lost(error)
        return None

    def refused(self) -> str | None:
        """Our request met a response that was active already."""
        self._refusals += 1
        if self._refusals > _MAX_REFUSALS:
            return "response_refused_repeatedly"
        self._tool_calls.reply_lost()
        self._turns.refused()
        return None

    def request_lost(self, error: ErrorBody | None = None) -> str | None:
        """Our request was answered by an error, or by nothing at all."""
        need = self._turns.request_lost()
        return self.failed(need, error) if need else None

    def failed(self, need: ResponseRequest | None, error: ErrorBody | None) -> str | None:
        """A response ended without what it was for; `need` is None if the server had started it."""
        code = (error and (error.code or error.type)) or "no_response"
        self._failures += 1
        # What ends the call is not worth another session: whoever waits for the caller waits already.
        most = 1 if self._farewell.underway else _MAX_FAILURES
        if treatment_of(error) is Treatment.FATAL or self._failures > most:
            return code
        self._tool_calls.reply_lost()
        self._need = need or ResponseRequest(Purpose.CALLER_TURN)
        if self._failures < _MAX_FAILURES:
            self._effects.set(Timer.RETRY, _RETRY_AFTER_MS)
        else:
            self.session_useless = True
        return None

    def session_lost(self) -> None:
        """Refusals were the lost session's; what waited for another try is wanted again.

        Failures go on being counted: a model that fails in every session must not be tried for ever.
        """
        self._refusals = 0
        self.session_useless = False
        self._effects.cancel(Timer.RETRY)
        self.retry()

    def lost_again(self) -> str | None:
        """A session was lost that had been ready."""
        self._losses += 1
        return "model_lost_repeatedly" if self._losses > _MAX_LOSSES else None

    def retry(self) -> None:
        """The pause is over."""
        if self._need:
            self._turns.request(self._need.purpose, self._need.instructions)
            self._need = None
