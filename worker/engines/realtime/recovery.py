"""Handles errors and failed responses: retries in the same session, then in another session, then gives the call up."""

from typing import Final

from worker.conversation.effects import EffectQueue, Timer
from worker.conversation.farewell import Farewell
from worker.engines.realtime.errors import Treatment, treatment_of
from worker.engines.realtime.events import ErrorBody
from worker.engines.realtime.tool_outputs import ToolOutputs
from worker.engines.realtime.turns import Purpose, ResponseRequest, TurnTaking

_RETRY_AFTER_MS: Final = 1_000
# In a row: more means that the server and this call disagree about the active response.
_MAX_REFUSALS: Final = 5
# In a row: the first failure is retried in the same session, the second in another one.
_MAX_FAILURES: Final = 2
# Sessions lost without a completed response in between: something that we send may be the cause.
_MAX_LOSSES: Final = 5


class Recovery:
    """Counts failures in a row. A method that returns a string tells why the call must be given up.

    An `error` event itself never leads to a `response.create`: a retry waits for the end of another response or for a
    timer.
    """

    def __init__(
        self, effects: EffectQueue, turn_taking: TurnTaking, tool_outputs: ToolOutputs, farewell: Farewell
    ) -> None:
        self._effects = effects
        self._turn_taking = turn_taking
        self._tool_outputs = tool_outputs
        self._farewell = farewell
        self._failures = 0
        self._refusals = 0
        self._losses = 0
        self._retry_request: ResponseRequest | None = None
        self.session_useless = False  # a response failed in it twice: retry in another session

    def succeeded(self) -> None:
        self._failures = self._refusals = self._losses = 0

    def error(self, error: ErrorBody, *, ready: bool) -> str | None:
        """Handles an `error` event. Before the session is ready, most errors mean that a retry would fail as well.

        After a temporary error (`IGNORE`, `RETRY`) the server closes the socket, and `SessionState` opens another.
        """
        code = error.code or error.type or "unknown"
        treatment = treatment_of(error)
        if not ready and treatment not in (Treatment.IGNORE, Treatment.RETRY):
            return f"session_rejected: {code} {error.param or ''}".rstrip()
        if treatment is Treatment.FATAL:
            return code
        if treatment is Treatment.REFUSED:
            return self.refused()
        about_request = error.event_id == self._turn_taking.request_event_id
        if self._turn_taking.requested and (about_request or treatment is Treatment.RETRY):
            return self.request_lost(error)
        return None

    def refused(self) -> str | None:
        """The server refused our request because another response was active."""
        self._refusals += 1
        if self._refusals > _MAX_REFUSALS:
            return "response_refused_repeatedly"
        self._tool_outputs.reply_lost()
        self._turn_taking.refused()
        return None

    def request_lost(self, error: ErrorBody | None = None) -> str | None:
        """The server answered our request with an error, or not in time."""
        request = self._turn_taking.request_lost()
        return self.failed(request, error) if request else None

    def failed(self, request: ResponseRequest | None, error: ErrorBody | None) -> str | None:
        """A response failed; `request` is None if the server had started the response by itself."""
        code = (error and (error.code or error.type)) or "no_response"
        self._failures += 1
        # For the agent's last words no other session is opened: a person may be waiting for the caller.
        most = 1 if self._farewell.underway else _MAX_FAILURES
        if treatment_of(error) is Treatment.FATAL or self._failures > most:
            return code
        self._tool_outputs.reply_lost()
        self._retry_request = request or ResponseRequest(Purpose.CALLER_TURN)
        if self._failures < _MAX_FAILURES:
            self._effects.set(Timer.RETRY, _RETRY_AFTER_MS)
        else:
            self.session_useless = True
        return None

    def session_lost(self) -> None:
        """Resets the count of refusals, and queues the response that waited for a retry.

        The count of failures stays: otherwise a model that fails in every session would be retried without limit.
        """
        self._refusals = 0
        self.session_useless = False
        self._effects.cancel(Timer.RETRY)
        self.retry()

    def lost_again(self) -> str | None:
        """A session that had been ready was lost."""
        self._losses += 1
        return "model_lost_repeatedly" if self._losses > _MAX_LOSSES else None

    def retry(self) -> None:
        """Queues the failed response again after the pause."""
        if self._retry_request:
            self._turn_taking.request(self._retry_request.purpose, self._retry_request.instructions)
            self._retry_request = None
