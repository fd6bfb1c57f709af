"""The tables of an agent file: turn detection, transcription, truncation, limits.

Ranges are those of the Realtime API.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator

from shared.agents.openai_models import DEFAULT_TRANSCRIPTION_MODEL, RETIRED_TRANSCRIPTION_MODELS, TRANSCRIPTION_PRICES

Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A strict model: an unknown key is an error, and `"1"` is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True)


class ServerVad(Section):
    """The caller's turn ends after a silence."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(300, ge=0)
    silence_duration_ms: int = Field(500, ge=0)
    idle_timeout_ms: int | None = Field(None, ge=5_000, le=30_000)
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(Section):
    """The caller's turn ends when what they said sounds finished."""

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class Transcription(Section):
    """The model that transcribes the caller's speech; the conversation itself does not need it.

    `languages` and `keywords` are hints for `gpt-transcribe` and `gpt-live-transcribe`; `gpt-realtime-whisper` takes
    one `language` and a `delay` instead.
    """

    model: str = DEFAULT_TRANSCRIPTION_MODEL
    language: Text | None = None
    languages: list[Text] | None = None
    keywords: list[Text] | None = None
    prompt: Text | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None

    @field_validator("model")
    @classmethod
    def _not_retired(cls, model: str) -> str:
        return known(model, TRANSCRIPTION_PRICES, RETIRED_TRANSCRIPTION_MODELS, "2027-02-26")

    @field_validator("language", "delay")
    @classmethod
    def _whisper_only(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("model") in ("gpt-transcribe", "gpt-live-transcribe"):
            instead = '; write languages = ["en"] instead' if info.field_name == "language" else ""
            raise ValueError(f"only gpt-realtime-whisper takes it{instead}")
        return value

    @field_validator("languages", "keywords", "prompt")
    @classmethod
    def _not_for_whisper(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("model") == "gpt-realtime-whisper":
            instead = '; write language = "en" instead' if info.field_name == "languages" else ""
            raise ValueError(f"gpt-realtime-whisper does not take it{instead}")
        return value

    def hinting(self, language: str) -> "Transcription":
        """This transcription with a hint for this language, unless the file names languages."""
        if self.language or self.languages:
            return self
        code = language.partition("-")[0]
        hint = {"language": code} if self.model == "gpt-realtime-whisper" else {"languages": [code]}
        return self.model_copy(update=hint)


class RetentionRatio(Section):
    """When the conversation is too long, the API drops its beginning until it uses only this share of the limit."""

    retention_ratio: float = Field(ge=0, le=1)
    post_instructions: int | None = Field(None, ge=1)


class Limits(Section):
    """The longest duration and silence of a call, in seconds, and when the loop guard stops the model's tools."""

    max_call_s: float = Field(1_800, gt=0, le=14_400)
    warn_before_end_s: float = Field(60, ge=0, validate_default=True)
    silence_s: float = Field(12, gt=0, le=300)
    silence_questions: int = Field(1, ge=0, le=10)
    max_silent_responses: int = Field(3, ge=1, le=10)

    @field_validator("warn_before_end_s")
    @classmethod
    def _before_the_end(cls, warning: float, info: ValidationInfo) -> float:
        longest = info.data.get("max_call_s")
        if longest is not None and warning >= longest:
            raise ValueError(f"is {warning:g}; allowed: less than max_call_s, which is {longest:g}; 0 for no warning")
        return warning


def known(model: str, current: Any, retired: dict[str, str], until: str) -> str:
    """The model, if it may be used; otherwise raises `ValueError`, which says which one to use."""
    if model in retired:
        raise ValueError(f"{model} is retired (shut down by {until} at the latest); use {retired[model]}")
    if model not in current:
        raise ValueError(f"there is no such model as {model!r}; allowed: {', '.join(current)}")
    return model


def _detection(value: Any) -> str | None:
    if isinstance(value, dict):
        return str(value.get("type", "server_vad"))
    return getattr(value, "type", None)


def _truncation(value: Any) -> str:
    return "table" if isinstance(value, dict | RetentionRatio) else "word"


def _on_or_off(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, dict | Transcription):
        return value
    raise ValueError(f"is {value!r}; allowed: true, false, or a table")


TurnDetection = Annotated[
    Annotated[ServerVad, Tag("server_vad")] | Annotated[SemanticVad, Tag("semantic_vad")], Discriminator(_detection)
]
Truncation = Annotated[
    Annotated[Literal["auto", "disabled"], Tag("word")] | Annotated[RetentionRatio, Tag("table")],
    Discriminator(_truncation),
]
OptionalTranscription = Annotated[Transcription | None, BeforeValidator(_on_or_off)]

TABLES: Final[dict[tuple[str, ...], type[Section]]] = {
    ("turn_detection", "server_vad"): ServerVad,
    ("turn_detection", "semantic_vad"): SemanticVad,
    ("transcription",): Transcription,
    ("truncation", "table"): RetentionRatio,
    ("limits",): Limits,
}
"""Each table by its location in pydantic's errors."""
