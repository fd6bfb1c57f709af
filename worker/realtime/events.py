"""The events of OpenAI's Realtime API (GA) that a call acts on; all others are ignored, as new ones appear unannounced.

Field names are the wire's. Types follow the official SDK's, but everything that the API may leave out has a default.
"""

from typing import Any, Final

import msgspec

from worker.tagged_json import TaggedDecoder


class MalformedEvent(ValueError):
    """What the model sent is no event: not JSON, or a known type without what belongs to it."""


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


class SessionCreated(msgspec.Struct, tag="session.created"):
    session: dict[str, Any]


class SessionUpdated(msgspec.Struct, tag="session.updated"):
    session: dict[str, Any]


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
    audio_end_ms: int | None = None  # in all audio of the session; the silence that was waited for lies before it


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
    """One event of the model, or None for a type that a call does not act on; raises `MalformedEvent`."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise MalformedEvent(f"not an event of the Realtime API: {error}") from error
