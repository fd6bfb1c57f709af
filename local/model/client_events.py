"""The client events of the GA interface as strict types, and the reading of one from the wire."""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError

from local.model.refusals import Refused, from_validation, missing
from local.model.session_settings import (
    VOICES,
    AudioFormat,
    CustomVoice,
    FunctionTool,
    MaxOutputTokens,
    OutputModalities,
    Reasoning,
    SessionSettings,
    Strict,
    ToolChoice,
)

ITEM_ID = Field(min_length=1, max_length=32)
METADATA_PAIRS = 16


class ClientEvent(Strict):
    """What every client event may carry; the `event_id` comes back in an error about it."""

    types: ClassVar[dict[str, type["ClientEvent"]]] = {}
    event_id: str | None = None

    def __init_subclass__(cls, name: str, **options: Any) -> None:
        super().__init_subclass__(**options)
        ClientEvent.types[name] = cls


class SessionUpdate(ClientEvent, name="session.update"):
    type: Literal["session.update"]
    session: SessionSettings


class Append(ClientEvent, name="input_audio_buffer.append"):
    type: Literal["input_audio_buffer.append"]
    audio: str


class Commit(ClientEvent, name="input_audio_buffer.commit"):
    type: Literal["input_audio_buffer.commit"]


class Clear(ClientEvent, name="input_audio_buffer.clear"):
    type: Literal["input_audio_buffer.clear"]


class InputText(Strict):
    type: Literal["input_text"]
    text: str


class InputAudio(Strict):
    """Recorded speech, base64 in the session's input format; its transcript is for reference only."""

    type: Literal["input_audio"]
    audio: str
    transcript: str | None = None


class InputImage(Strict):
    """A picture as a data URI; it is kept and never looked at."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high"] | None = None


InputContent = Annotated[InputText | InputAudio | InputImage, Field(discriminator="type")]


class OutputContent(Strict):
    """A part of an assistant's message: text alone, since a client cannot put words into the model's mouth."""

    type: Literal["output_text"]
    text: str


class GivenItem(Strict):
    """What every item from a client may carry."""

    id: Annotated[str, ITEM_ID] | None = None
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class GivenUserMessage(GivenItem):
    type: Literal["message"]
    role: Literal["user"]
    content: Annotated[list[InputContent], Field(min_length=1)]


class GivenSystemMessage(GivenItem):
    type: Literal["message"]
    role: Literal["system"]
    content: Annotated[list[InputText], Field(min_length=1)]


class GivenAssistantMessage(GivenItem):
    type: Literal["message"]
    role: Literal["assistant"]
    content: Annotated[list[OutputContent], Field(min_length=1)]


class GivenCall(GivenItem):
    type: Literal["function_call"]
    name: str
    arguments: str
    call_id: str | None = Field(None, pattern=r"^[a-zA-Z0-9_-]+$")


class GivenOutput(GivenItem):
    type: Literal["function_call_output"]
    call_id: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")
    output: str


GivenMessage = Annotated[GivenUserMessage | GivenSystemMessage | GivenAssistantMessage, Field(discriminator="role")]
Given = Annotated[GivenMessage | GivenCall | GivenOutput, Field(discriminator="type")]


class ItemReference(Strict):
    type: Literal["item_reference"]
    id: str


class ItemCreate(ClientEvent, name="conversation.item.create"):
    type: Literal["conversation.item.create"]
    item: Given
    previous_item_id: str | None = None


class ItemTruncate(ClientEvent, name="conversation.item.truncate"):
    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: int = Field(ge=0)
    audio_end_ms: int = Field(ge=0)


class ItemDelete(ClientEvent, name="conversation.item.delete"):
    type: Literal["conversation.item.delete"]
    item_id: str


class ItemRetrieve(ClientEvent, name="conversation.item.retrieve"):
    type: Literal["conversation.item.retrieve"]
    item_id: str


class ResponseAudioOutput(Strict):
    format: AudioFormat | None = None
    voice: VOICES | CustomVoice | None = None


class ResponseAudio(Strict):
    output: ResponseAudioOutput = ResponseAudioOutput()


class ResponseRequest(Strict):
    """The body of `response.create`: each key given replaces the session's for this one response."""

    instructions: str | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: ToolChoice | None = None
    output_modalities: OutputModalities | None = None
    audio: ResponseAudio = ResponseAudio()
    max_output_tokens: MaxOutputTokens | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    conversation: Literal["auto", "none"] = "auto"
    input: (
        list[Annotated[GivenMessage | GivenCall | GivenOutput | ItemReference, Field(discriminator="type")]] | None
    ) = None
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
            Field(max_length=METADATA_PAIRS),
        ]
        | None
    ) = None


class ResponseCreate(ClientEvent, name="response.create"):
    type: Literal["response.create"]
    response: ResponseRequest = ResponseRequest()


class ResponseCancel(ClientEvent, name="response.cancel"):
    type: Literal["response.cancel"]
    response_id: str | None = None


class OutputAudioClear(ClientEvent, name="output_audio_buffer.clear"):
    type: Literal["output_audio_buffer.clear"]


def decode(message: str | bytes) -> dict[str, Any]:
    """The JSON object in a frame; raises `Refused` for a binary frame, for what is not JSON, and for no object."""
    if isinstance(message, bytes):
        raise Refused("invalid_event", "Binary frames are not supported: send each event as a text frame.")
    try:
        event = json.loads(message)
    except ValueError:
        raise Refused("invalid_json", "The JSON of your event could not be parsed.") from None
    if not isinstance(event, dict):
        raise Refused("invalid_event", "An event must be a JSON object.")
    return event


def parse(event: dict[str, Any]) -> ClientEvent:
    """The typed client event; raises `Refused` naming the first thing that is wrong with it."""
    if "type" not in event:
        raise missing("type")
    known = ClientEvent.types.get(event["type"]) if isinstance(event["type"], str) else None
    if known is None:
        names = ", ".join(f"'{name}'" for name in ClientEvent.types)
        message = f"Invalid value: {event['type']!r}. Supported values are: {names}."
        raise Refused("invalid_value", message, param="type")
    try:
        return known.model_validate(event)
    except ValidationError as error:
        raise from_validation(error, event) from None
