"""Failures of the service to inject, each once: `faults.add(FailResponse())` makes the next response fail. A fault
added to a model hits the next session or response of any call; one added to a session hits only that session."""

from dataclasses import dataclass
from typing import Literal, TypeVar


@dataclass(frozen=True)
class Fault:
    """A failure that happens once."""


@dataclass(frozen=True)
class RefuseHandshake(Fault):
    """The WebSocket upgrade is answered with an HTTP error status: 401 for a bad key, 429, 500, 503."""

    status: int = 500


@dataclass(frozen=True)
class SlowHandshake(Fault):
    """The WebSocket upgrade takes `seconds`; with `for_ever` it is never answered."""

    seconds: float = 2.0
    for_ever: bool = False


@dataclass(frozen=True)
class FailSession(Fault):
    """An `error` event comes instead of `session.created`, then a close: for example, the quota is used up."""

    code: str = "insufficient_quota"
    kind: str = "invalid_request_error"
    message: str = "You exceeded your current quota, please check your plan and billing details."
    close_code: int = 1000


@dataclass(frozen=True)
class RejectUpdate(Fault):
    """A valid session.update is refused completely."""

    code: str = "unknown_parameter"
    message: str = "Unknown parameter: 'session.audio.input.turn_detection'."
    param: str | None = "session.audio.input.turn_detection"


@dataclass(frozen=True)
class IgnoreUpdate(Fault):
    """A session.update is never answered and never applied."""


@dataclass(frozen=True)
class WrongFormats(Fault):
    """The session uses these audio formats, whatever the update asked for, and `session.updated` says so."""

    input: str = "audio/pcm"
    output: str = "audio/pcm"


@dataclass(frozen=True)
class OddSession(Fault):
    """`session.updated` has this JSON at one place of its `session`."""

    path: str = "audio.input.format"
    value: str = '"g711_ulaw"'


@dataclass(frozen=True)
class OddFrame(Fault):
    """Instead of `session.updated` a frame of these bytes (in hexadecimal) is sent, as text or as binary data."""

    hex: str = "ff"
    binary: bool = False


@dataclass(frozen=True)
class AnonymousError(Fault):
    """The next refusal does not name its client event (`event_id` null), as often happens with the real service."""


@dataclass(frozen=True)
class FailResponse(Fault):
    """The response fails after `after_ms` of audio: rate_limit_exceeded, insufficient_quota, server_error."""

    code: str | None = "server_error"
    kind: str = "server_error"
    message: str = "The server had an error while processing your request."
    after_ms: int = 0


@dataclass(frozen=True)
class CutShort(Fault):
    """The response ends as `incomplete` after `after_ms` of audio, or in the middle of its first function call."""

    reason: Literal["max_output_tokens", "content_filter"] = "max_output_tokens"
    after_ms: int = 400


@dataclass(frozen=True)
class NeverAnswer(Fault):
    """A `response.create` gets no answer at all."""


@dataclass(frozen=True)
class NeverFinish(Fault):
    """The response stops sending after `after_ms` of audio and never ends, unless it is cancelled."""

    after_ms: int = 400


@dataclass(frozen=True)
class CloseSocket(Fault):
    """After `after_ms` of the response's audio the socket is closed, or reset without a close frame."""

    code: int = 1011
    reason: str = ""
    after_ms: int = 400
    reset: bool = False


@dataclass(frozen=True)
class LateTranscription(Fault):
    """The transcription of the caller's words arrives this much later than they were recognised."""

    seconds: float = 0.5


@dataclass(frozen=True)
class FailTranscription(Fault):
    """The transcription of the caller's words fails."""

    code: str = "audio_unintelligible"
    message: str = "The audio could not be transcribed."


F = TypeVar("F", bound=Fault)


class Faults:
    """The faults that have not happened yet; a session takes its own first, then the model's."""

    def __init__(self, beyond: "Faults | None" = None) -> None:
        self._waiting: list[Fault] = []
        self._beyond = beyond

    def add(self, *faults: Fault) -> None:
        """Makes each of these faults happen once, at the next opportunity."""
        self._waiting += faults

    def take(self, kind: type[F]) -> F | None:
        """Removes and returns the oldest fault of a kind; None if there is none."""
        for fault in self._waiting:
            if isinstance(fault, kind):
                self._waiting.remove(fault)
                return fault
        return self._beyond.take(kind) if self._beyond else None
