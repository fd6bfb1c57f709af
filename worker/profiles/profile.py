"""One agent: everything about it that is not code."""

import re
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, field_validator

from shared.agents.openai_models import DEFAULT_MODEL, REALTIME_MODELS, RETIRED_REALTIME_MODELS, VOICES
from worker.builtin_tools import (
    BUILTIN_DEFINITIONS,
    ESCALATE_TO_HUMAN,
    ESCALATION_STATUS,
    ESCALATION_STATUS_DEFINITION,
)
from worker.profiles.problems import did_you_mean
from worker.profiles.sections import (
    Limits,
    OptionalTranscription,
    RetentionRatio,
    Section,
    ServerVad,
    Text,
    Transcription,
    Truncation,
    TurnDetection,
    known,
)
from worker.profiles.tool_references import resolve
from worker.tools import Tool, Toolbox

TOOL_CHOICES: Final = ("auto", "none", "required", "required_once")

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


def _number(number: str) -> str:
    if not _E164.fullmatch(number):
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


class Profile(Section):
    """An agent as its TOML file describes it. Its tools are imported and ready to run.

    `voice`, `turn_detection` and `transcription` have the shape that the Realtime API's session takes.
    """

    name: Text
    numbers: Annotated[tuple[Annotated[str, BeforeValidator(_number)], ...], Field(strict=False)] = ()
    language: str = "en"
    instructions: Text
    greeting: Text | None = None
    model: str = DEFAULT_MODEL
    voice: Annotated[str | dict[str, str], BeforeValidator(_voice)] = "marin"
    speed: float = Field(1.0, ge=0.25, le=1.5)
    reasoning_effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    noise_reduction: Literal["near_field", "far_field"] | None = None
    max_output_tokens: Annotated[int | Literal["inf"] | None, BeforeValidator(_output_tokens)] = None
    tools: Annotated[tuple[Annotated[str | Tool, PlainValidator(resolve)], ...], Field(strict=False)] = ()
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
    def _still_there(cls, model: str) -> str:
        return known(model, REALTIME_MODELS, RETIRED_REALTIME_MODELS, "2027-01-20")

    @field_validator("reasoning_effort")
    @classmethod
    def _can_reason(cls, effort: str | None, info: ValidationInfo) -> str | None:
        model = info.data.get("model")
        if effort is not None and model is not None and not REALTIME_MODELS[model].reasons:
            reasoning = ", ".join(name for name, facts in REALTIME_MODELS.items() if facts.reasons)
            raise ValueError(f"{model} does not reason and refuses it; allowed with: {reasoning}")
        return effort

    @field_validator("tools")
    @classmethod
    def _each_its_own_name(cls, tools: tuple[str | Tool, ...]) -> tuple[str | Tool, ...]:
        names = [_name(tool) for tool in tools]
        for name in names:
            if names.count(name) > 1 or (name == ESCALATION_STATUS and ESCALATE_TO_HUMAN in names):
                raise ValueError(f"there are two tools called {name!r}; each needs a name of its own")
            if name in TOOL_CHOICES:
                raise ValueError(f"a tool cannot be called {name!r}, which means something else as tool_choice")
        return tools

    @field_validator("tool_choice")
    @classmethod
    def _can_be_chosen(cls, choice: str, info: ValidationInfo) -> str:
        if "tools" not in info.data:  # they are wrong themselves, and nothing can be said about a choice of them
            return choice
        names = [_name(tool) for tool in info.data["tools"]]
        if choice not in (*TOOL_CHOICES, *names):
            raise ValueError(
                f"is {choice!r}{did_you_mean(choice, (*TOOL_CHOICES, *names))}; allowed: {', '.join(TOOL_CHOICES)}, "
                f"or one of this profile's tools: {', '.join(names) or 'it has none'}"
            )
        if choice.startswith("required") and not names:
            raise ValueError(f"is {choice!r}, but the profile has no tools to call; allowed without tools: auto, none")
        return choice

    @field_validator("transcription")
    @classmethod
    def _expects_the_language(cls, transcription: Transcription | None, info: ValidationInfo) -> Transcription | None:
        return transcription and transcription.hinting(info.data.get("language", "en"))

    @cached_property
    def builtin(self) -> frozenset[str]:
        """The names of the built-in tools that the agent has. Whoever may ask for a person may ask how that stands."""
        named = frozenset(tool for tool in self.tools if isinstance(tool, str))
        return named | {ESCALATION_STATUS} if ESCALATE_TO_HUMAN in named else named

    @cached_property
    def toolbox(self) -> Toolbox:
        """The agent's other tools."""
        return Toolbox((tool for tool in self.tools if isinstance(tool, Tool)), built_in=self.builtin)

    def definitions(self) -> list[dict[str, Any]]:
        """All the agent's tools as `session.tools` wants them, built-in ones too, in the profile's order."""
        named = [BUILTIN_DEFINITIONS[tool] if isinstance(tool, str) else tool.definition() for tool in self.tools]
        return [*named, ESCALATION_STATUS_DEFINITION] if ESCALATION_STATUS in self.builtin else named

    def truncation_setting(self) -> str | dict[str, Any]:
        """The profile's truncation as `session.truncation` wants it."""
        if not isinstance(self.truncation, RetentionRatio):
            return self.truncation
        setting: dict[str, Any] = {"type": "retention_ratio", "retention_ratio": self.truncation.retention_ratio}
        if self.truncation.post_instructions is not None:
            setting["token_limits"] = {"post_instructions": self.truncation.post_instructions}
        return setting


def _name(tool: str | Tool) -> str:
    return tool if isinstance(tool, str) else tool.name
