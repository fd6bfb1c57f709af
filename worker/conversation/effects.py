"""What a call wants done: `Call` gives these out, and whoever runs it on real sockets carries them out in order."""

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
    """The clocks of a call. Setting one that runs starts it anew."""

    SESSION = "session"  # the model's session must be ready
    RECONNECT = "reconnect"  # pause before the model is called again
    RENEWAL = "renewal"  # the model's session nears the end of its hour
    DEAD_AIR = "dead_air"  # the caller has heard nothing since the model was lost
    LONG_WAIT = "long_wait"  # the caller waits for an answer, and hears nothing
    RESPONSE = "response"  # a response that was asked for must begin
    VAD_RESPONSE = "vad_response"  # the server was to answer the caller's turn by itself
    RETRY = "retry"  # pause before a failed response is asked for again
    SILENCE = "silence"  # nobody says anything
    KEYPAD = "keypad"  # the caller has stopped pressing keys
    WARNING = "warning"  # the call nears its maximum length
    TIME_LIMIT = "time_limit"  # the call is at its maximum length
    ESCALATION = "escalation"  # pause before an escalation that the queue did not take is sent again
    ESCALATION_WATCH = "escalation_watch"  # pause before it is looked again at what has become of an escalation
    FAREWELL = "farewell"  # the agent's last words take too long to be heard


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a socket to the model, or take the spare one, and let go of the one there was.

    Ends in `SessionCreated`, `SessionReady` or `ModelLost`.
    """


@dataclass(frozen=True, slots=True)
class OpenSpare:
    """Open a socket to the model ahead of its use; ends in `SpareOpened` or `SpareNotOpened`."""


@dataclass(frozen=True, slots=True)
class PlayAudio:
    payload: msgspec.Raw  # JSON string of base64 mu-law


@dataclass(frozen=True, slots=True)
class SendMark:
    name: str


@dataclass(frozen=True, slots=True)
class ClearPlayback:
    """Empty Twilio's queue of audio at once."""


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """The caller's audio, for the model."""

    payload: msgspec.Raw  # JSON string of base64 mu-law


@dataclass(frozen=True, slots=True)
class SendToModel:
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunTool:
    """Ends in `ToolFinished`, whatever happens."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class SendEscalation:
    """Ends in `EscalationSent` or `EscalationNotSent`, even if the caller has gone meanwhile."""

    call_id: str
    escalation: Escalation


@dataclass(frozen=True, slots=True)
class LookAtEscalation:
    """Read in the table what has become of it; ends in `EscalationSeen` or `EscalationNotSeen`."""

    escalation_id: str


@dataclass(frozen=True, slots=True)
class WriteTranscript:
    """Store these turns, by their place in the conversation, so that another worker could go on from them."""

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
    """Close the stream: Twilio goes on with what `/stream-ended` answers for this end.

    `escalation_id` is the one that a person has taken to whom the call is transferred.
    """

    ended: CallEnd
    reason: str
    escalation_id: str | None = None

    @property
    def details(self) -> dict[str, str]:
        """What is recorded beside `ended`."""
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
    | LookAtEscalation
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
    """What has become of an escalation. `person` is the name of who has taken it; `ready`: they wait for the caller.

    With `calling_back` they have taken it to call the caller, not to join the call.
    """

    escalation_id: str
    status: Status
    person: str | None = None
    ready: bool = False
    calling_back: bool = False


@dataclass(frozen=True, slots=True)
class EscalationNotSeen:
    """The table did not answer."""

    escalation_id: str


@dataclass(frozen=True, slots=True)
class TimerFired:
    timer: Timer


@dataclass(frozen=True, slots=True)
class ModelLost:
    """The socket to the model was refused or is gone; `reason` is for the log. `final`: another try would end alike."""

    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The socket to the model is one that stood ready: `session` is as the server told it, after it was `asked` for."""

    session: Session
    asked: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpareOpened:
    """A socket to the model stands ready to take the present one's place."""


@dataclass(frozen=True, slots=True)
class SpareNotOpened:
    """There is no second socket yet."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """Twilio's socket is gone though nobody hung up, or this worker must let go of it.

    The call can go on at another worker, unless what came on the socket was not Twilio's.
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
    """Every part of a call puts its effects here, so that they leave in the order in which they were decided."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._timers: set[Timer] = set()
        self.connected = False  # to a session that takes events

    def put(self, effect: Effect) -> None:
        self._effects.append(effect)

    def to_model(self, event: dict[str, Any]) -> None:
        """Sends an event, if there is a session; without one there is nothing that it could change.

        What a later session must know is in the transcript, from which it is restored.
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
        """Notes that a timer has fired; False if it had been cancelled while it was about to."""
        if timer not in self._timers:
            return False
        self._timers.remove(timer)
        return True

    def take(self) -> list[Effect]:
        """The effects gathered since the last time."""
        effects, self._effects = self._effects, []
        return effects
