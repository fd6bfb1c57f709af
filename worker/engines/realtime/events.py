"""The events of OpenAI's Realtime API (GA) that a call uses. All others are ignored: new types appear unannounced.

Field names are those of the API. Types follow the official SDK, but every field that the API may omit has a default.
"""

from typing import Annotated, Any, Final

import msgspec

from worker.tagged_json import Malformed, TaggedDecoder, is_string

_LATEST: Final = 253_402_300_799  # the end of the year 9999
_LONGEST_MS: Final = 24 * 3_600_000  # a session lives for an hour


class MalformedEvent(ValueError):
    """The model sent no valid event: not JSON in UTF-8, or a known type without its required fields."""


class ErrorBody(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


class Item(msgspec.Struct):
    id: str = ""
    type: str = ""
    role: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None


class StatusDetails(msgspec.Struct):
    reason: str | None = None
    error: ErrorBody | None = None


class Response(msgspec.Struct):
    id: str
    status: str | None = None
    status_details: StatusDetails | None = None
    metadata: dict[str, str] | None = None
    usage: dict[str, Any] | None = None


class Error(msgspec.Struct, tag="error"):
    error: ErrorBody


class AudioFormat(msgspec.Struct, frozen=True):
    type: str | None = None


class AudioSide(msgspec.Struct, frozen=True):
    format: AudioFormat = AudioFormat()


class Audio(msgspec.Struct, frozen=True):
    input: AudioSide = AudioSide()
    output: AudioSide = AudioSide()


class NewSession(msgspec.Struct, frozen=True):
    """A session before it is configured."""

    expires_at: Annotated[float, msgspec.Meta(gt=0, le=_LATEST)] | None = None  # in seconds of Unix time


class Session(NewSession, frozen=True):
    """A session as the server reports it after it is configured."""

    audio: Audio = Audio()


class SessionCreated(msgspec.Struct, tag="session.created"):
    session: NewSession


class SessionUpdated(msgspec.Struct, tag="session.updated"):
    session: Session


class ItemAdded(msgspec.Struct, tag="conversation.item.added"):
    item: Item


class TranscriptionCompleted(msgspec.Struct, tag="conversation.item.input_audio_transcription.completed"):
    item_id: str
    transcript: str = ""
    usage: dict[str, Any] | None = None


class TranscriptionFailed(msgspec.Struct, tag="conversation.item.input_audio_transcription.failed"):
    item_id: str
    error: ErrorBody | None = None


class SpeechStarted(msgspec.Struct, tag="input_audio_buffer.speech_started"):
    item_id: str = ""


class SpeechStopped(msgspec.Struct, tag="input_audio_buffer.speech_stopped"):
    item_id: str = ""
    # Position in the session's audio; the silence that ended the turn lies before it.
    audio_end_ms: Annotated[int, msgspec.Meta(ge=0, le=_LONGEST_MS)] | None = None


class Committed(msgspec.Struct, tag="input_audio_buffer.committed"):
    item_id: str = ""


class IdleTimeout(msgspec.Struct, tag="input_audio_buffer.timeout_triggered"):
    item_id: str = ""


class ResponseCreated(msgspec.Struct, tag="response.created"):
    response: Response


class OutputItemAdded(msgspec.Struct, tag="response.output_item.added"):
    response_id: str
    item: Item


class OutputItemDone(msgspec.Struct, tag="response.output_item.done"):
    response_id: str
    item: Item


class AudioDelta(msgspec.Struct, tag="response.output_audio.delta"):
    response_id: str
    item_id: str
    delta: msgspec.Raw


class TranscriptDelta(msgspec.Struct, tag="response.output_audio_transcript.delta"):
    response_id: str
    item_id: str
    delta: str


class ResponseDone(msgspec.Struct, tag="response.done"):
    response: Response


SessionEvent = Error | SessionCreated | SessionUpdated
CallerEvent = SpeechStarted | SpeechStopped | Committed | IdleTimeout | TranscriptionCompleted | TranscriptionFailed
AgentEvent = ItemAdded | ResponseCreated | OutputItemAdded | OutputItemDone | TranscriptDelta | ResponseDone
ModelEvent = SessionEvent | CallerEvent | AgentEvent | AudioDelta

_decoder: Final[TaggedDecoder[ModelEvent]] = TaggedDecoder(ModelEvent, "type")


def decode(data: bytes | str) -> ModelEvent | None:
    """Decodes one event; None for a type that a call does not use. Raises `MalformedEvent`."""
    try:
        event = _decoder.decode(data)
    except Malformed as error:
        raise MalformedEvent(f"not an event of the Realtime API: {error}") from error
    if type(event) is AudioDelta and not is_string(event.delta):
        raise MalformedEvent("not an event of the Realtime API: its audio is not a string")
    return event
