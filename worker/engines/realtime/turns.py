"""Who may speak next: one response at a time, with the right tool choice, and with a limit on silent responses.

Every `response.create` of a call is made here. The server may also start a response by itself, when its voice activity
detection hears the caller's turn end; such a response takes the session's tool choice. So a choice that must hold for
caller turns only (`required`, or a tool's name) is set on the session, and each of our own requests overrides it.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

ToolChoice = str | dict[str, str]

_REQUESTED_TAG: Final = "bellhop_request"


class Purpose(IntEnum):
    """Why a response is wanted; of several, the highest is asked for and the lower ones are served by it."""

    TOOL_OUTPUT = 1
    PROMPT = 2  # we want something said: a greeting, a question, a warning
    CALLER_TURN = 3
    FAREWELL = 4


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    purpose: Purpose
    instructions: str | None = None


@dataclass(slots=True)
class _Active:
    """The response that holds the floor. `request` is None if the server started it."""

    id: str
    request: ResponseRequest | None
    spoke: bool = False
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A response that is over, as far as turns know it."""

    request: ResponseRequest | None
    spoke: bool
    muted: bool


class ToolPolicy:
    """`tool_choice` of an agent: when a tool must, may, or must not be called."""

    def __init__(self, choice: str) -> None:
        self._choice = choice
        self._tool_has_run = False

    def tool_ran(self) -> bool:
        """Notes that a tool has run; True if the session's own choice changes with it."""
        before = self.for_caller_turn
        self._tool_has_run = True
        return self.for_caller_turn != before

    @property
    def for_caller_turn(self) -> ToolChoice:
        """The session's choice, and of our own requests that begin the answer to a caller's turn."""
        match self._choice:
            case "auto" | "none" | "required":
                return self._choice
            case "required_once":
                return "auto" if self._tool_has_run else "required"
            case tool:
                return {"type": "function", "name": tool}

    @property
    def after_tool(self) -> ToolChoice:
        """Once a tool has run for this turn, another may run but none must, or the agent would never speak."""
        return "none" if self._choice == "none" else "auto"


@dataclass
class TurnTaking:
    """The floor: free, asked for, or held by a response; and whether the caller has it.

    `server_answers` tells whether the server starts a response by itself when the caller's turn ends.
    """

    policy: ToolPolicy
    instructions: str
    server_answers: bool = True
    max_silent_responses: int = 3
    caller_speaking: bool = False
    _awaiting_answer: bool = False
    _turn_unanswered: bool = False
    _wanted: list[ResponseRequest] = field(default_factory=list)
    _requested: ResponseRequest | None = None
    _requested_muted: bool = False
    _requests: int = 0
    _active: _Active | None = None
    _silent_responses: int = 0

    @property
    def free(self) -> bool:
        """Nobody speaks, nobody was asked to, and nobody is about to."""
        return not (self._active or self._requested or self.caller_speaking or self._awaiting_answer)

    @property
    def agent_speaks(self) -> bool:
        """A response has the floor, or was asked for, and is to reach the phone."""
        active, requested = self._active, self._requested
        return (active is not None and not active.muted) or (requested is not None and not self._requested_muted)

    @property
    def idle(self) -> bool:
        return self.free and not self._wanted

    @property
    def awaiting_answer(self) -> bool:
        return self._awaiting_answer

    @property
    def requested(self) -> bool:
        return self._requested is not None

    @property
    def active_id(self) -> str | None:
        return self._active.id if self._active else None

    def request(self, purpose: Purpose, instructions: str | None = None) -> None:
        """A response is wanted as soon as the floor is free."""
        self._wanted.append(ResponseRequest(purpose, instructions))

    def withdraw(self, purpose: Purpose, instructions: str | None = None) -> None:
        """What was wanted for this reason (and with these instructions, if given) is wanted no longer."""
        self._wanted = [
            wanted
            for wanted in self._wanted
            if wanted.purpose is not purpose or instructions not in (None, wanted.instructions)
        ]

    def next_request(self) -> dict[str, Any] | None:
        """The `response.create` to send now, if one is wanted and the floor is free; at most one is out at a time."""
        if not self._wanted or not self.free:
            return None
        wanted = self._merged()
        self._wanted.clear()
        self._requested, self._requested_muted = wanted, False
        self._requests += 1
        response: dict[str, Any] = {
            "tool_choice": self._tool_choice(wanted.purpose),
            "metadata": {_REQUESTED_TAG: str(self._requests)},
        }
        if wanted.instructions:
            # A response's instructions replace the session's, so the persona is repeated.
            response["instructions"] = f"{self.instructions}\n\n{wanted.instructions}"
        return {"type": "response.create", "event_id": self.request_event_id, "response": response}

    def _merged(self) -> ResponseRequest:
        texts = [wanted.instructions for wanted in self._wanted if wanted.instructions]
        return ResponseRequest(max(wanted.purpose for wanted in self._wanted), "\n".join(texts) or None)

    @property
    def request_event_id(self) -> str:
        """Comes back in an `error` that is about our last request."""
        return f"{_REQUESTED_TAG}_{self._requests}"

    def _tool_choice(self, purpose: Purpose) -> ToolChoice:
        if self._silent_responses >= self.max_silent_responses:
            return "none"
        if purpose is Purpose.TOOL_OUTPUT:
            return self.policy.after_tool
        return self.policy.for_caller_turn if purpose is Purpose.CALLER_TURN else "none"

    def created(self, response_id: str, metadata: dict[str, str] | None) -> bool:
        """A response has begun; True if it is the one that we asked for.

        Ours carries our tag; without one it is ours if the server had no turn of its own to answer.
        """
        untagged = _REQUESTED_TAG not in (metadata or {})
        ours = self._is_requested(metadata) or (self._requested is not None and untagged and not self._awaiting_answer)
        self._active = _Active(response_id, self._requested if ours else None)
        self._turn_unanswered = False
        if ours:
            # Asked for before the caller began to speak, begun after: the server will not interrupt it for us.
            self._active.muted = self._requested_muted
            self._requested = None
        else:
            self._awaiting_answer = False
        return ours

    def _is_requested(self, metadata: dict[str, str] | None) -> bool:
        return self._requested is not None and (metadata or {}).get(_REQUESTED_TAG) == str(self._requests)

    def spoke(self, response_id: str) -> None:
        if self._active and self._active.id == response_id:
            self._active.spoke = True

    def is_muted(self, response_id: str) -> bool:
        """Its audio is not for the caller any more: the caller interrupted it."""
        return self._active is None or self._active.id != response_id or self._active.muted

    def done(self, response_id: str, metadata: dict[str, str] | None) -> Finished | None:
        """A response is over, however it ended; None if it never had the floor.

        Around interruptions the end of a response has been seen without its beginning.
        """
        if self._active is None and self._is_requested(metadata):
            self.created(response_id, metadata)
        if self._active is None or self._active.id != response_id:
            return None
        active, self._active = self._active, None
        self._silent_responses = 0 if active.spoke else self._silent_responses + 1
        return Finished(active.request, active.spoke, active.muted)

    def refused(self) -> None:
        """Our request lost a race against another response; it is made again if that one cannot serve its purpose.

        A greeting, or a question into a silence, has become pointless; a tool's output may have been seen, which
        `ToolOutputs` knows.
        """
        if self._requested:
            if self._requested.purpose >= Purpose.CALLER_TURN:
                self._wanted.append(self._requested)
            self._requested = None
            # The other response may be one that we have not been told of yet.
            self._awaiting_answer = self._active is None

    def request_lost(self) -> ResponseRequest | None:
        """Our request was answered by nothing or by an error: the floor is free again; gives what it was for."""
        wanted, self._requested = self._requested, None
        return wanted

    def mute(self) -> None:
        """The caller interrupts: nothing more of the active response, or of the one asked for, reaches the phone."""
        self._requested_muted = self._requested is not None
        if self._active:
            self._active.muted = True

    def session_lost(self) -> bool:
        """The model's session is gone and the floor with it; True if the caller is owed an answer.

        What was asked for is wanted again; what was being said is for the caller of this method to continue.
        """
        speaking = self._active is not None and not self._active.muted
        owed = speaking or self._requested is not None or self._awaiting_answer or self._turn_unanswered
        if self._requested:
            self._wanted.append(self._requested)
        self._requested = self._active = None
        self.caller_speaking = self._awaiting_answer = self._turn_unanswered = False
        return owed

    def caller_began(self) -> None:
        self.caller_speaking, self._awaiting_answer = True, False

    def caller_paused(self) -> None:
        """The caller has stopped speaking; what was said becomes an item next."""
        self.caller_speaking, self._awaiting_answer = False, True

    def caller_turn_committed(self) -> None:
        """The caller's turn is an item of the conversation: the server answers it, or we ask for the answer."""
        self._turn_unanswered = True
        if not self.server_answers:
            self.vad_timed_out()

    def vad_timed_out(self) -> None:
        """The server does not answer by itself: the floor is free again, and a turn that waits is for us to answer."""
        self._awaiting_answer = False
        if self._turn_unanswered:
            self._turn_unanswered = False
            self.request(Purpose.CALLER_TURN)
