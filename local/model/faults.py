"""Ways in which the service fails, each injected once: `faults.add(FailResponse())` makes the next response fail.
Faults added to a model meet the next session or response of any caller, those added to a session its own."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeVar


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong once."""


@dataclass(frozen=True)
class RefuseHandshake(Fault):
    """The upgrade is answered with an HTTP status: 401 for a bad key, 429, 500, 503."""

    status: int = 500


@dataclass(frozen=True)
class SlowHandshake(Fault):
    """The upgrade takes so long; with `for_ever` it is never answered."""

    seconds: float = 2.0
    for_ever: bool = False


@dataclass(frozen=True)
class FailSession(Fault):
    """An `error` event comes in place of `session.created`, then a close: a quota or billing that ran out, say."""

    code: str = "insufficient_quota"
    kind: str = "invalid_request_error"
    message: str = "You exceeded your current quota, please check your plan and billing details."
    close_code: int = 1000


@dataclass(frozen=True)
class RejectUpdate(Fault):
    """A session.update is refused whole, though nothing is wrong with it."""

    code: str = "unknown_parameter"
    message: str = "Unknown parameter: 'session.audio.input.turn_detection'."
    param: str | None = "session.audio.input.turn_detection"


@dataclass(frozen=True)
class IgnoreUpdate(Fault):
    """A session.update is never answered and never applied."""


@dataclass(frozen=True)
class WrongFormats(Fault):
    """`session.updated` comes back with these formats, and they are the ones in force."""

    input: str = "audio/pcm"
    output: str = "audio/pcm"


@dataclass(frozen=True)
class OddSession(Fault):
    """`session.updated` comes back with this JSON at one place of its `session`."""

    path: str = "audio.input.format"
    value: str = '"g711_ulaw"'


@dataclass(frozen=True)
class OddFrame(Fault):
    """In place of `session.updated` comes a frame of these bytes (in hexadecimal), as text or as binary data."""

    hex: str = "ff"
    binary: bool = False


@dataclass(frozen=True)
class AnonymousError(Fault):
    """The next refusal does not say which client event it is about (`event_id` null), as is often seen."""


@dataclass(frozen=True)
class SendError(Fault):
    """An `error` event after so much audio of the response; the response goes on."""

    code: str | None = "server_error"
    kind: str = "server_error"
    message: str = "The server had an error while processing your request."
    after_ms: int = 0


@dataclass(frozen=True)
class FailResponse(Fault):
    """The response ends as `failed` after so much audio: rate_limit_exceeded, insufficient_quota, server_error."""

    code: str | None = "server_error"
    kind: str = "server_error"
    message: str = "The server had an error while processing your request."
    after_ms: int = 0


@dataclass(frozen=True)
class CutShort(Fault):
    """The response ends as `incomplete` after so much audio, or in the midst of its first function call."""

    reason: Literal["max_output_tokens", "content_filter"] = "max_output_tokens"
    after_ms: int = 400


@dataclass(frozen=True)
class NeverAnswer(Fault):
    """A response is asked for and nothing at all comes back."""


@dataclass(frozen=True)
class NeverFinish(Fault):
    """The response falls silent after so much audio and never comes to its end, unless it is cancelled."""

    after_ms: int = 400


@dataclass(frozen=True)
class SkipCreated(Fault):
    """`response.done` comes without a `response.created` before it, and without any output."""


@dataclass(frozen=True)
class LateDeltas(Fault):
    """After the response was cancelled and done, this many of its audio deltas still arrive."""

    deltas: int = 3


@dataclass(frozen=True)
class RepeatCalls(Fault):
    """The events of a finished function call arrive twice."""


@dataclass(frozen=True)
class CutArguments(Fault):
    """A function call's arguments end after so many letters; its status says so or, as `completed`, does not."""

    letters: int = 5
    status: Literal["incomplete", "completed"] = "incomplete"


@dataclass(frozen=True)
class UnknownEvents(Fault):
    """Events of types that nobody has heard of arrive around the response, and unknown fields in its items."""


@dataclass(frozen=True)
class BunchDone(Fault):
    """The `done` events of the response's messages all arrive just before `response.done`."""


@dataclass(frozen=True)
class CloseSocket(Fault):
    """The socket is closed after so much audio of the response, or reset without a word."""

    code: int = 1011
    reason: str = ""
    after_ms: int = 400
    reset: bool = False


@dataclass(frozen=True)
class Expire(Fault):
    """The session's 60 minutes are over after so much audio of the response: an `error`, then a close with 1001."""

    after_ms: int = 0


@dataclass(frozen=True)
class LateTranscription(Fault):
    """The transcription of the caller's words arrives so long after they were recognised."""

    seconds: float = 0.5


@dataclass(frozen=True)
class FailTranscription(Fault):
    """The transcription of the caller's words fails."""

    code: str = "audio_unintelligible"
    message: str = "The audio could not be transcribed."


F = TypeVar("F", bound=Fault)
NAMES: Mapping[str, type[Fault]] = {fault.__name__: fault for fault in Fault.__subclasses__()}


class Faults:
    """The faults that wait for their moment; a session looks among its own first, then among the model's."""

    def __init__(self, beyond: "Faults | None" = None) -> None:
        self._waiting: list[Fault] = []
        self._beyond = beyond

    def add(self, *faults: Fault) -> None:
        """Has each of these happen once, at its next opportunity."""
        self._waiting += faults

    def clear(self) -> None:
        """Forgets what has not happened yet."""
        self._waiting.clear()

    def take(self, kind: type[F]) -> F | None:
        """The oldest waiting fault of a kind, which is then used up."""
        for fault in self._waiting:
            if isinstance(fault, kind):
                self._waiting.remove(fault)
                return fault
        return self._beyond.take(kind) if self._beyond else None


def from_text(name: str, values: Mapping[str, str]) -> Fault:
    """A fault from its name and its fields as text; raises ValueError naming what is wrong and what is allowed."""
    kind = NAMES.get(name)
    if kind is None:
        raise ValueError(f"there is no fault '{name}'; there are {', '.join(NAMES)}")
    known = {field.name: field.default for field in fields(kind)}
    given: dict[str, object] = {}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"{name} has no '{key}'; it has {', '.join(known) or 'nothing to set'}")
        default = known[key]
        if isinstance(default, bool):
            given[key] = value.lower() in ("1", "true", "yes")
        elif isinstance(default, int | float):
            given[key] = type(default)(value)
        else:
            given[key] = value
    return kind(**given)
