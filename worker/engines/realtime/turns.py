"""Turn-taking: one response at a time, with the right tool choice, and with a limit on consecutive silent responses.

Every `response.create` of a call is created here. The server may also start a response by itself, when its voice
activity detection finds the end of the caller's turn; such a response uses the session's tool choice. So a choice for
caller turns only (`required`, or a tool's name) is set on the session, and each of our own requests overrides it.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

ToolChoice = str | dict[str, str]

_REQUESTED_TAG: Final = "bellhop_request"


class Purpose(IntEnum):
    """The purpose of a response. Several queued requests become one, with the highest of their purposes."""

    TOOL_OUTPUT = 1
    PROMPT = 2  # unprompted words: a greeting, a question, a warning
    CALLER_TURN = 3
    FAREWELL = 4


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    purpose: Purpose
    instructions: str | None = None


@dataclass(slots=True)
class _Active:
    """The active response. `request` is None if the server started it by itself."""

    id: str
    request: ResponseRequest | None
    spoke: bool = False
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A response that is over. `spoke`: it had audio that was played; `muted`: the caller interrupted it."""

    request: ResponseRequest | None
    spoke: bool
    muted: bool


class ToolPolicy:
    """An agent's `tool_choice`: when a tool must, may, or must not be called."""

    def __init__(self, choice: str) -> None:
        self._choice = choice
        self._tool_has_run = False

    def tool_ran(self) -> bool:
        """Records that a tool has run; True if this changes the session's tool choice."""
        before = self.for_caller_turn
        self._tool_has_run = True
        return self.for_caller_turn != before

    @property
    def for_caller_turn(self) -> ToolChoice:
        """The tool choice of the session, and of our own requests that answer a caller's turn."""
        match self._choice:
            case "auto" | "none" | "required":
                return self._choice
            case "required_once":
                return "auto" if self._tool_has_run else "required"
            case tool:
                return {"type": "function", "name": tool}

    @property
    def after_tool(self) -> ToolChoice:
        """The tool choice after a tool: another tool may run but none must, or the agent would never speak."""
        return "none" if self._choice == "none" else "auto"


@dataclass
class TurnTaking:
    """Tracks whose turn it is: the caller's, that of a requested or active response, or free.

    `server_answers`: the server starts a response by itself when the caller's turn ends.
    """

    tool_policy: ToolPolicy
    instructions: str
    server_answers: bool = True
    max_silent_responses: int = 3
    caller_speaking: bool = False
    _awaiting_answer: bool = False
    _turn_unanswered: bool = False
    _queued: list[ResponseRequest] = field(default_factory=list)
    _requested: ResponseRequest | None = None
    _requested_muted: bool = False
    _requests: int = 0
    _active: _Active | None = None
    _silent_responses: int = 0

    @property
    def free(self) -> bool:
        """The caller does not speak, no response is requested or active, and the server owes no answer."""
        return not (self._active or self._requested or self.caller_speaking or self._awaiting_answer)

    @property
    def agent_speaks(self) -> bool:
        """A response is active or requested, and is not muted."""
        active, requested = self._active, self._requested
        return (active is not None and not active.muted) or (requested is not None and not self._requested_muted)

    @property
    def idle(self) -> bool:
        """The turn is free and no request is queued."""
        return self.free and not self._queued

    @property
    def awaiting_answer(self) -> bool:
        """The server is expected to answer the caller's turn by itself."""
        return self._awaiting_answer

    @property
    def requested(self) -> bool:
        return self._requested is not None

    @property
    def active_id(self) -> str | None:
        return self._active.id if self._active else None

    def request(self, purpose: Purpose, instructions: str | None = None) -> None:
        """Queues a response; it is requested as soon as the turn is free."""
        self._queued.append(ResponseRequest(purpose, instructions))

    def withdraw(self, purpose: Purpose, instructions: str | None = None) -> None:
        """Removes queued responses with this purpose (and with these instructions, if given)."""
        self._queued = [
            request
            for request in self._queued
            if request.purpose is not purpose or instructions not in (None, request.instructions)
        ]

    def next_request(self) -> dict[str, Any] | None:
        """The `response.create` to send now, if a response is queued and the turn is free; at most one at a time."""
        if not self._queued or not self.free:
            return None
        request = self._merged()
        self._queued.clear()
        self._requested, self._requested_muted = request, False
        self._requests += 1
        response: dict[str, Any] = {
            "tool_choice": self._tool_choice(request.purpose),
            "metadata": {_REQUESTED_TAG: str(self._requests)},
        }
        if request.instructions:
            # A response's instructions replace the session's, so the persona is repeated.
            response["instructions"] = f"{self.instructions}\n\n{request.instructions}"
        return {"type": "response.create", "event_id": self.request_event_id, "response": response}

    def _merged(self) -> ResponseRequest:
        texts = [request.instructions for request in self._queued if request.instructions]
        return ResponseRequest(max(request.purpose for request in self._queued), "\n".join(texts) or None)

    @property
    def request_event_id(self) -> str:
        """The event id of our last request; an `error` about that request contains it."""
        return f"{_REQUESTED_TAG}_{self._requests}"

    def _tool_choice(self, purpose: Purpose) -> ToolChoice:
        if self._silent_responses >= self.max_silent_responses:
            return "none"
        if purpose is Purpose.TOOL_OUTPUT:
            return self.tool_policy.after_tool
        return self.tool_policy.for_caller_turn if purpose is Purpose.CALLER_TURN else "none"

    def created(self, response_id: str, metadata: dict[str, str] | None) -> bool:
        """Records that a response has begun; True if it is the one that we requested.

        Our responses have our tag. A response without it is ours if the server had no caller's turn to answer.
        """
        untagged = _REQUESTED_TAG not in (metadata or {})
        ours = self._is_requested(metadata) or (self._requested is not None and untagged and not self._awaiting_answer)
        self._active = _Active(response_id, self._requested if ours else None)
        self._turn_unanswered = False
        if ours:
            # Requested before the caller began to speak and begun after: the server does not interrupt it for us.
            self._active.muted = self._requested_muted
            self._requested = None
        else:
            self._awaiting_answer = False
        return ours

    def _is_requested(self, metadata: dict[str, str] | None) -> bool:
        return self._requested is not None and (metadata or {}).get(_REQUESTED_TAG) == str(self._requests)

    def spoke(self, response_id: str) -> None:
        """Records that audio of this response was played."""
        if self._active and self._active.id == response_id:
            self._active.spoke = True

    def is_muted(self, response_id: str) -> bool:
        """Whether the caller has interrupted this response, so that its audio must not be played."""
        return self._active is None or self._active.id != response_id or self._active.muted

    def done(self, response_id: str, metadata: dict[str, str] | None) -> Finished | None:
        """Records that a response is over, however it ended; None if it was not the active one.

        Around interruptions the server sometimes reports the end of a response without its beginning.
        """
        if self._active is None and self._is_requested(metadata):
            self.created(response_id, metadata)
        if self._active is None or self._active.id != response_id:
            return None
        active, self._active = self._active, None
        self._silent_responses = 0 if active.spoke else self._silent_responses + 1
        return Finished(active.request, active.spoke, active.muted)

    def refused(self) -> None:
        """Another response was active before our request; queues the request again if it is still needed.

        A greeting or a question into a silence is not needed any more. For a tool's output, `ToolOutputs` decides: the
        other response may have seen it.
        """
        if self._requested:
            if self._requested.purpose >= Purpose.CALLER_TURN:
                self._queued.append(self._requested)
            self._requested = None
            # If no response is active, the event that tells of the other one may still come.
            self._awaiting_answer = self._active is None

    def request_lost(self) -> ResponseRequest | None:
        """Our request got no answer, or an error: the turn is free again. Returns the request."""
        request, self._requested = self._requested, None
        return request

    def mute(self) -> None:
        """The caller interrupts: mutes the active response, or the requested one."""
        self._requested_muted = self._requested is not None
        if self._active:
            self._active.muted = True

    def session_lost(self) -> bool:
        """Resets the turn after the session was lost; True if the agent still owes the caller an answer.

        A requested response is queued again, an active one is not.
        """
        speaking = self._active is not None and not self._active.muted
        owed = speaking or self._requested is not None or self._awaiting_answer or self._turn_unanswered
        if self._requested:
            self._queued.append(self._requested)
        self._requested = self._active = None
        self.caller_speaking = self._awaiting_answer = self._turn_unanswered = False
        return owed

    def caller_began(self) -> None:
        self.caller_speaking, self._awaiting_answer = True, False

    def caller_paused(self) -> None:
        """The caller has stopped speaking; their turn becomes an item next."""
        self.caller_speaking, self._awaiting_answer = False, True

    def caller_turn_committed(self) -> None:
        """The caller's turn is now an item of the conversation: the server answers it, or we request the answer."""
        self._turn_unanswered = True
        if not self.server_answers:
            self.vad_timed_out()

    def vad_timed_out(self) -> None:
        """The server has not answered by itself: the turn is free again, and we request an unanswered turn's answer."""
        self._awaiting_answer = False
        if self._turn_unanswered:
            self._turn_unanswered = False
            self.request(Purpose.CALLER_TURN)
