"""The service's rules for client events that the official SDK's types do not check.

They say which values a key takes, which keys are required, and which must not be null. A rule applies to its key
anywhere in the event. Rules that depend on the session are in `configuration.py` and `conversation.py`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Required

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

METADATA_PAIRS: Final = 16
_KEYWORD_MODELS: Final = ("gpt-transcribe", "gpt-live-transcribe")
_NULLABLE: Final = {
    "event_id",
    "idle_timeout_ms",
    "include",
    "metadata",
    "noise_reduction",
    "previous_item_id",
    "prompt",
    "tracing",
    "transcription",
    "turn_detection",
}
_FREE: Final = {"parameters", "metadata", "prompt"}  # these contain the client's own keys

_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]


class _Typed(TypedDict):
    type: str


class _Transcription(TypedDict, total=False):
    model: Required[
        Literal[
            "gpt-transcribe",
            "gpt-live-transcribe",
            "gpt-realtime-whisper",
            "gpt-4o-transcribe",
            "gpt-4o-mini-transcribe",
            "gpt-4o-mini-transcribe-2025-12-15",
            "gpt-4o-transcribe-diarize",
            "whisper-1",
        ]
    ]
    languages: list[str]
    keywords: list[str]
    prompt: str
    delay: str


def _fits_its_model(given: _Transcription) -> _Transcription:
    if (given.get("keywords") or given.get("languages")) and given["model"] not in _KEYWORD_MODELS:
        raise ValueError(f"keywords and languages are supported by {' and '.join(_KEYWORD_MODELS)} only")
    whisper = given["model"] == "gpt-realtime-whisper"
    if given.get("delay") and not whisper:
        raise ValueError("delay is supported by gpt-realtime-whisper only")
    if given.get("prompt") and whisper:
        raise ValueError("prompt is not supported by gpt-realtime-whisper")
    return given


class _Tool(TypedDict):
    """A function tool. MCP tools are not simulated; they are refused, since they have no name."""

    type: Literal["function"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class _Text(TypedDict):
    type: Literal["input_text", "output_text"]
    text: str


class _Audio(TypedDict):
    type: Literal["input_audio"]
    audio: str


class _Image(TypedDict):
    type: Literal["input_image"]
    image_url: str


_Content = Annotated[_Text | _Audio | _Image, Field(discriminator="type")]
_Metadata = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]]


def _not_simulated(_value: Any) -> None:
    raise ValueError("it is not simulated")


class _Response(TypedDict, total=False):
    input: Annotated[Any, AfterValidator(_not_simulated)]


class _Values(TypedDict, total=False):
    """The values that each key takes; other keys take what their SDK type allows."""

    audio_end_ms: _Count
    call_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    content: Annotated[list[_Content], Field(min_length=1)]
    content_index: _Count
    conversation: Literal["auto"]  # out-of-band responses are not simulated
    format: _Typed
    id: Annotated[str, Field(min_length=1, max_length=32)]
    idle_timeout_ms: Annotated[int, Field(ge=5000, le=30000)] | None
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]
    metadata: Annotated[_Metadata, Field(max_length=METADATA_PAIRS)] | None
    noise_reduction: _Typed | None
    output_modalities: Annotated[list[str], Field(min_length=1, max_length=1)]
    post_instructions: _Count
    prefix_padding_ms: _Count
    response: _Response
    retention_ratio: _Share
    silence_duration_ms: _Count
    speed: Annotated[float, Field(ge=0.25, le=1.5)]
    strength: _Share
    threshold: _Share
    tools: list[_Tool]
    transcription: Annotated[_Transcription, AfterValidator(_fits_its_model)] | None
    voice: (
        Literal["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"]
        | dict[str, Any]
    )


_VALUES: Final = TypeAdapter(_Values)


def broken_rules(value: Any, loc: tuple[int | str, ...] = ()) -> Iterator[ErrorDetails]:
    """The errors in an event or a part of it, in pydantic's format."""
    if value is None and loc and loc[-1] not in _NULLABLE:
        yield {"type": "null", "loc": loc, "msg": "null is not allowed", "input": None}
    if isinstance(value, dict):
        try:
            _VALUES.validate_python(value, strict=True)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                yield {**found, "loc": (*loc, *found["loc"])}
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        if key not in _FREE:
            yield from broken_rules(child, (*loc, key))
