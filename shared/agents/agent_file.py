"""The schema of an agent file: everything about an agent that is not code."""

import re
from typing import Annotated, Final, Generic, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from shared.agents.openai_models import DEFAULT_MODEL, REALTIME_MODELS, RETIRED_REALTIME_MODELS, VOICES
from shared.agents.problems import did_you_mean
from shared.agents.sections import (
    Limits,
    OptionalTranscription,
    Section,
    ServerVad,
    Text,
    Transcription,
    Truncation,
    TurnDetection,
    known,
)
from shared.agents.tool_names import checked_tool_name
from shared.numbers.phone_numbers import is_e164

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")

ToolT = TypeVar("ToolT")


def _number(number: str) -> str:
    if not is_e164(number):
        raise ValueError(f"{number!r} is no phone number; allowed: '+', country code and number, as in '+15551234567'")
    return number


def _voice(voice: object) -> object:
    if isinstance(voice, dict) and set(voice) == {"id"} and isinstance(voice["id"], str) and voice["id"]:
        return voice
    if isinstance(voice, str) and voice in VOICES:
        return voice
    raise ValueError(
        f"there is no voice {voice!r}{did_you_mean(str(voice), VOICES)}; allowed: {', '.join(VOICES)}, "
        'or a voice of your own as {id = "voice_..."}'
    )


def _output_tokens(count: object) -> object:
    if count == "inf" or (isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= 4096):
        return count
    raise ValueError(f'is {count!r}; allowed: 1 to 4096, or "inf"')


class AgentSchema(Section, Generic[ToolT]):
    """The keys of an agent file and their types. `ToolT` is the type of an entry of `tools`, made from the tool's name.

    `voice`, `turn_detection` and `transcription` have the shape of the Realtime API's session.
    """

    name: Text
    numbers: Annotated[tuple[Annotated[str, AfterValidator(_number)], ...], Field(strict=False)] = ()
    language: str = "en"
    instructions: Text
    greeting: Text | None = None
    model: str = DEFAULT_MODEL
    voice: Annotated[str | dict[str, str], BeforeValidator(_voice)] = "marin"
    speed: float = Field(1.0, ge=0.25, le=1.5)
    reasoning_effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    noise_reduction: Literal["near_field", "far_field"] | None = None
    max_output_tokens: Annotated[int | Literal["inf"] | None, BeforeValidator(_output_tokens)] = None
    tools: Annotated[tuple[ToolT, ...], Field(strict=False)] = ()
    tool_choice: str = "auto"
    transcription: OptionalTranscription = Field(Transcription(), validate_default=True)
    turn_detection: TurnDetection = ServerVad()
    truncation: Truncation = "auto"
    limits: Limits = Limits()

    @field_validator("language")
    @classmethod
    def _is_a_language(cls, language: str) -> str:
        if not _LANGUAGE.fullmatch(language):
            raise ValueError(f"{language!r} is no language code; allowed: one such as 'en', 'de' or 'en-US'")
        return language

    @field_validator("model")
    @classmethod
    def _not_retired(cls, model: str) -> str:
        return known(model, REALTIME_MODELS, RETIRED_REALTIME_MODELS, "2027-01-20")

    @field_validator("reasoning_effort")
    @classmethod
    def _can_reason(cls, effort: str | None, info: ValidationInfo) -> str | None:
        model = info.data.get("model")
        if effort is not None and model is not None and not REALTIME_MODELS[model].reasons:
            reasoning = ", ".join(name for name, facts in REALTIME_MODELS.items() if facts.reasons)
            raise ValueError(f"{model} does not reason and refuses it; allowed with: {reasoning}")
        return effort

    @field_validator("transcription")
    @classmethod
    def _expects_the_language(cls, transcription: Transcription | None, info: ValidationInfo) -> Transcription | None:
        return transcription and transcription.hinting(info.data.get("language", "en"))


class AgentFile(AgentSchema[Annotated[str, AfterValidator(checked_tool_name)]]):
    """An agent as its file describes it. Its tools are names; nothing is imported.

    So it is not checked whether the tools exist, nor whether `tool_choice` is the name of one.
    """
