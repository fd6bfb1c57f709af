"""Every function call of the model gets exactly one output, and all the calls of a response get one answer together."""

from dataclasses import dataclass
from enum import Enum


class _State(Enum):
    RUNNING = "running"
    ANSWERED = "answered"  # its output was sent
    REPLYING = "replying"  # a response was asked for that will see the output
    SEEN = "seen"  # a response began that sees the output
    OUTLIVED = "outlived"  # still running, but the session that made it is gone


@dataclass(slots=True)
class _ToolCall:
    response_id: str
    state: _State = _State.RUNNING
    taken_in: bool = False  # the server has said that the output is in the conversation


class ToolOutputs:
    """The function calls of one call, by `call_id`; the same one is visible in several events of the API."""

    def __init__(self) -> None:
        self._calls: dict[str, _ToolCall] = {}
        self._finished_responses: set[str] = set()

    def began(self, call_id: str, response_id: str) -> bool:
        """Notes a function call; False if it was known already."""
        if call_id in self._calls:
            return False
        self._calls[call_id] = _ToolCall(response_id)
        return True

    def answered(self, call_id: str) -> bool:
        """Notes that a call's output is being sent; False if it already had one, or was never made."""
        call = self._calls.get(call_id)
        if call is None or call.state not in (_State.RUNNING, _State.OUTLIVED):
            return False
        call.state = _State.ANSWERED if call.state is _State.RUNNING else _State.SEEN
        return True

    def outlived(self, call_id: str) -> bool:
        """The session that made this call is gone: its output has no place in the one that is there now."""
        call = self._calls.get(call_id)
        return call is not None and call.state is _State.OUTLIVED

    def session_lost(self) -> None:
        """Outputs that were sent are told to the next session as text; calls that run go on running."""
        for call in self._calls.values():
            call.state = _State.OUTLIVED if call.state in (_State.RUNNING, _State.OUTLIVED) else _State.SEEN

    def added(self, call_id: str | None) -> None:
        """The server has put a call's output into the conversation."""
        if call := self._calls.get(call_id or ""):
            call.taken_in = True

    def response_finished(self, response_id: str) -> None:
        self._finished_responses.add(response_id)

    def of(self, response_id: str) -> bool:
        """Whether a response made any function call."""
        return any(call.response_id == response_id for call in self._calls.values())

    @property
    def running(self) -> bool:
        return any(call.state in (_State.RUNNING, _State.OUTLIVED) for call in self._calls.values())

    @property
    def reply_due(self) -> bool:
        """Outputs wait to be spoken about: of a response that is over, and that has no call still running."""
        busy = {call.response_id for call in self._calls.values() if call.state is _State.RUNNING}
        return any(
            call.state is _State.ANSWERED
            and call.response_id in self._finished_responses
            and call.response_id not in busy
            for call in self._calls.values()
        )

    def reply_requested(self) -> None:
        """A response was asked for; it will see every output sent so far."""
        self._move(_State.ANSWERED, _State.REPLYING)

    def reply_began(self, *, requested: bool) -> None:
        """A response began. One that the server started sees the outputs that it had taken in before."""
        if requested:
            self._move(_State.REPLYING, _State.SEEN)
        else:
            self._move(_State.ANSWERED, _State.SEEN, taken_in=True)

    def reply_lost(self) -> None:
        """The response that was asked for will not come."""
        self._move(_State.REPLYING, _State.ANSWERED)

    def _move(self, state: _State, to: _State, *, taken_in: bool = False) -> None:
        for call in self._calls.values():
            if call.state is state and (call.taken_in or not taken_in):
                call.state = to
