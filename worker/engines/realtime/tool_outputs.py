"""Gives every function call of the model exactly one output, and all calls of one response one reply together."""

from dataclasses import dataclass
from enum import Enum


class _State(Enum):
    RUNNING = "running"
    ANSWERED = "answered"  # its output was sent
    REPLYING = "replying"  # a response was requested that will see the output
    SEEN = "seen"  # a response began that sees the output
    OUTLIVED = "outlived"  # still running, but the session that made it is lost


@dataclass(slots=True)
class _ToolCall:
    response_id: str
    state: _State = _State.RUNNING
    added: bool = False  # the server has confirmed that the output is in the conversation


class ToolOutputs:
    """Tracks the function calls of one phone call by `call_id`."""

    def __init__(self) -> None:
        self._calls: dict[str, _ToolCall] = {}
        self._finished_responses: set[str] = set()

    def began(self, call_id: str, response_id: str) -> bool:
        """Records a function call; False if it was known already."""
        if call_id in self._calls:
            return False
        self._calls[call_id] = _ToolCall(response_id)
        return True

    def answered(self, call_id: str) -> bool:
        """Records that a call's output is sent; False if it already had one, or was never made."""
        call = self._calls.get(call_id)
        if call is None or call.state not in (_State.RUNNING, _State.OUTLIVED):
            return False
        call.state = _State.ANSWERED if call.state is _State.RUNNING else _State.SEEN
        return True

    def outlived(self, call_id: str) -> bool:
        """Whether the session that made this call was lost; the present session cannot take its output as such."""
        call = self._calls.get(call_id)
        return call is not None and call.state is _State.OUTLIVED

    def session_lost(self) -> None:
        """Marks running calls as outlived. The next session gets earlier outputs as text from the transcript."""
        for call in self._calls.values():
            call.state = _State.OUTLIVED if call.state in (_State.RUNNING, _State.OUTLIVED) else _State.SEEN

    def added(self, call_id: str | None) -> None:
        """Records that the server has added a call's output to the conversation."""
        if call := self._calls.get(call_id or ""):
            call.added = True

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
        """Whether outputs wait for a reply: their response is over and none of its calls is running."""
        busy = {call.response_id for call in self._calls.values() if call.state is _State.RUNNING}
        return any(
            call.state is _State.ANSWERED
            and call.response_id in self._finished_responses
            and call.response_id not in busy
            for call in self._calls.values()
        )

    def reply_requested(self) -> None:
        """Records that a response was requested, which will see every output sent so far."""
        self._move(_State.ANSWERED, _State.REPLYING)

    def reply_began(self, *, requested: bool) -> None:
        """Records that a response began. One that the server started sees only the outputs already added."""
        if requested:
            self._move(_State.REPLYING, _State.SEEN)
        else:
            self._move(_State.ANSWERED, _State.SEEN, only_added=True)

    def reply_lost(self) -> None:
        """Records that the requested response will not come."""
        self._move(_State.REPLYING, _State.ANSWERED)

    def _move(self, state: _State, to: _State, *, only_added: bool = False) -> None:
        for call in self._calls.values():
            if call.state is state and (call.added or not only_added):
                call.state = to
