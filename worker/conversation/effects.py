"""The effects that `Call` returns, and their results. The bridge carries them out in order on the real sockets."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from shared.calls.ending import CallEnd
from shared.calls.transcript import TranscriptEntry
from shared.escalations.record import Status
from shared.escalations.request import Escalation
from worker.engines.realtime.events import Session


class Timer(Enum):
    """The timers of a call. Setting one that already runs restarts it."""

    SESSION = "session"  # limit for the model's session to become ready
    RECONNECT = "reconnect"  # pause before we connect to the model again
    RENEWAL = "renewal"  # the model's session will soon reach its limit of one hour
    DEAD_AIR = "dead_air"  # the model is lost and the caller has heard nothing since
    LONG_WAIT = "long_wait"  # the caller waits for an answer and hears nothing
    RESPONSE = "response"  # limit for a requested response to begin
    VAD_RESPONSE = "vad_response"  # limit for the server to answer the caller's turn by itself
    RETRY = "retry"  # pause before a failed response is requested again
    SILENCE = "silence"  # neither side has spoken for a while
    KEYPAD = "keypad"  # the caller has stopped pressing keys
    WARNING = "warning"  # the call nears its maximum length
    TIME_LIMIT = "time_limit"  # the call has reached its maximum length
    ESCALATION = "escalation"  # pause before sending an escalation again that the queue did not accept
    ESCALATION_CHECK = "escalation_check"  # pause before the next check of the escalation's progress
    FAREWELL = "farewell"  # limit for the caller to hear the agent's last words


@dataclass(frozen=True, slots=True)
class Connect:
    """Close the present socket to the model; open a new one, or use the pooled or the spare one.

    Ends in `SessionCreated`, `SessionReady` or `ModelLost`.
    """


@dataclass(frozen=True, slots=True)
class OpenSpare:
    """Open a second socket to the model in advance; ends in `SpareOpened` or `SpareNotOpened`."""


@dataclass(frozen=True, slots=True)
class PlayAudio:
    payload: msgspec.Raw  # JSON string of base64 mu-law


@dataclass(frozen=True, slots=True)
class SendMark:
    name: str


@dataclass(frozen=True, slots=True)
class ClearPlayback:
    """Empty Twilio's audio queue at once."""


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """The caller's audio, for the model."""

    payload: msgspec.Raw  # JSON string of base64 mu-law


@dataclass(frozen=True, slots=True)
class SendToModel:
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunTool:
    """Ends in `ToolFinished`, even if the tool fails."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class SendEscalation:
    """Ends in `EscalationSent` or `EscalationNotSent`; carried out even if the caller has hung up."""

    call_id: str
    escalation: Escalation


@dataclass(frozen=True, slots=True)
class CheckEscalation:
    """Read the escalation's record from the table; ends in `EscalationSeen` or `EscalationNotSeen`."""

    escalation_id: str


@dataclass(frozen=True, slots=True)
class WriteTranscript:
    """Store these entries, by their place in the conversation, so that another worker can continue the call."""

    turns: tuple[tuple[int, TranscriptEntry], ...]


@dataclass(frozen=True, slots=True)
class SetTimer:
    timer: Timer
    after_ms: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    timer: Timer


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the stream; Twilio then asks `/stream-ended` what to do next, and the answer depends on `ended`.

    `escalation_id`: for a transfer, the escalation whose assignee gets the call.
    """

    ended: CallEnd
    reason: str
    escalation_id: str | None = None

    @property
    def details(self) -> dict[str, str]:
        """The fields to record together with `ended`."""
        return {"reason": self.reason} | ({"escalation_id": self.escalation_id} if self.escalation_id else {})


Effect = (
    Connect
    | OpenSpare
    | PlayAudio
    | SendMark
    | ClearPlayback
    | AppendAudio
    | SendToModel
    | RunTool
    | SendEscalation
    | CheckEscalation
    | WriteTranscript
    | SetTimer
    | CancelTimer
    | HangUp
)


@dataclass(frozen=True, slots=True)
class ToolFinished:
    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class EscalationSent:
    call_id: str


@dataclass(frozen=True, slots=True)
class EscalationNotSent:
    call_id: str


@dataclass(frozen=True, slots=True)
class EscalationSeen:
    """The progress of an escalation. `person` is its assignee's name; `ready`: they wait on the phone for the caller.

    `calling_back`: the assignee will call the caller back and does not join the call.
    """

    escalation_id: str
    status: Status
    person: str | None = None
    ready: bool = False
    calling_back: bool = False


@dataclass(frozen=True, slots=True)
class EscalationNotSeen:
    """The escalation's record could not be read."""

    escalation_id: str


@dataclass(frozen=True, slots=True)
class TimerFired:
    timer: Timer


@dataclass(frozen=True, slots=True)
class ModelLost:
    """The socket to the model was refused or is lost; `reason` is for the log. `final`: a retry would fail as well."""

    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class SessionReady:
    """A pooled session is in use. `session` is as the server confirmed it, after our `update` (a `session.update`)."""

    session: Session
    update: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpareOpened:
    """A spare socket to the model is open and can replace the present one."""


@dataclass(frozen=True, slots=True)
class SpareNotOpened:
    """The spare socket to the model could not be opened."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The stream was lost though the caller did not hang up, or this worker drains and gives it up.

    The call can continue at another worker, unless the stream was not Twilio's (`foreign`).
    """

    reason: str
    foreign: bool = False


EffectResult = (
    ToolFinished
    | EscalationSent
    | EscalationNotSent
    | EscalationSeen
    | EscalationNotSeen
    | TimerFired
    | ModelLost
    | SessionReady
    | SpareOpened
    | SpareNotOpened
    | StreamLost
)


class EffectQueue:
    """All parts of a call put their effects here, so that the effects keep their order."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._timers: set[Timer] = set()
        self.connected = False  # to a model session that accepts events

    def put(self, effect: Effect) -> None:
        self._effects.append(effect)

    def to_model(self, event: dict[str, Any]) -> None:
        """Sends an event to the model's session; without a session the event is dropped.

        A later session is restored from the transcript, so it does not need the event.
        """
        if self.connected:
            self._effects.append(SendToModel(event))

    def set(self, timer: Timer, after_ms: float) -> None:
        self._timers.add(timer)
        self._effects.append(SetTimer(timer, after_ms))

    def cancel(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
            self._effects.append(CancelTimer(timer))

    def is_set(self, timer: Timer) -> bool:
        return timer in self._timers

    def fired(self, timer: Timer) -> bool:
        """Records that a timer has fired; False if the call had already cancelled it."""
        if timer not in self._timers:
            return False
        self._timers.remove(timer)
        return True

    def take(self) -> list[Effect]:
        """Returns and removes the effects queued so far."""
        effects, self._effects = self._effects, []
        return effects
