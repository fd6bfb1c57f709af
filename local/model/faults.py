"""Ways in which the service fails, each injected once: `faults.add(FailResponse())` makes the next response fail.
Faults added to a model meet the next session or response of any caller, those added to a session its own."""

from dataclasses import dataclass
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
class CloseSocket(Fault):
    """The socket is closed after so much audio of the response, or reset without a word."""

    code: int = 1011
    reason: str = ""
    after_ms: int = 400
    reset: bool = False


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


class Faults:
    """The faults that wait for their moment; a session looks among its own first, then among the model's."""

    def __init__(self, beyond: "Faults | None" = None) -> None:
        self._waiting: list[Fault] = []
        self._beyond = beyond

    def add(self, *faults: Fault) -> None:
        """Has each of these happen once, at its next opportunity."""
        self._waiting += faults

    def take(self, kind: type[F]) -> F | None:
        """The oldest waiting fault of a kind, which is then used up."""
        for fault in self._waiting:
            if isinstance(fault, kind):
                self._waiting.remove(fault)
                return fault
        return self._beyond.take(kind) if self._beyond else None
