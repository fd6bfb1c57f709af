"""The GA `session` object as strict types: which keys there are, and which values each one takes. What they mean
together (a voice after audio, a tool choice without its tool) is `configuration.py`'s business."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

KEYWORD_MODELS = ("gpt-transcribe", "gpt-live-transcribe")
TRANSCRIPTION_MODELS = Literal[
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
    "whisper-1",
]
VOICES = Literal["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"]


class Strict(BaseModel):
    """Unknown keys are refused, and nothing is converted: "1" is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Pcm(Strict):
    type: Literal["audio/pcm"]
    rate: Literal[24000] = 24000


class MuLaw(Strict):
    """G.711 mu-law; a `rate` is refused, since 8,000 Hz is the only one."""

    type: Literal["audio/pcmu"]


class ALaw(Strict):
    type: Literal["audio/pcma"]


AudioFormat = Annotated[Pcm | MuLaw | ALaw, Field(discriminator="type")]


class ServerVad(Strict):
    type: Literal["server_vad"]
    threshold: float = Field(0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(300, ge=0)
    silence_duration_ms: int = Field(500, ge=0)
    idle_timeout_ms: int | None = Field(None, ge=5000, le=30000)
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(Strict):
    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class NoiseReduction(Strict):
    type: Literal["near_field", "far_field"]
    strength: float | None = Field(None, ge=0, le=1)


class Transcription(Strict):
    model: TRANSCRIPTION_MODELS
    language: str | None = None
    languages: list[str] | None = None
    keywords: list[str] | None = None
    prompt: str | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None

    @model_validator(mode="after")
    def _fits_its_model(self) -> "Transcription":
        if (self.keywords or self.languages) and self.model not in KEYWORD_MODELS:
            raise ValueError(f"keywords and languages are supported by {' and '.join(KEYWORD_MODELS)} only")
        whisper = self.model == "gpt-realtime-whisper"
        if self.delay and not whisper:
            raise ValueError("delay is supported by gpt-realtime-whisper only")
        if self.prompt and whisper:
            raise ValueError("prompt is not supported by gpt-realtime-whisper")
        return self


class AudioInput(Strict):
    format: AudioFormat = Pcm(type="audio/pcm")
    noise_reduction: NoiseReduction | None = None
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = ServerVad(type="server_vad")


class CustomVoice(Strict):
    id: str


class AudioOutput(Strict):
    format: AudioFormat = Pcm(type="audio/pcm")
    voice: VOICES | CustomVoice = "alloy"
    speed: float = Field(1.0, ge=0.25, le=1.5)


class Audio(Strict):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class FunctionTool(Strict):
    """A flat function tool. MCP tools are not simulated, and are refused."""

    type: Literal["function"]
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class FunctionChoice(Strict):
    type: Literal["function"]
    name: str


ToolChoice = Literal["auto", "none", "required"] | FunctionChoice


class Reasoning(Strict):
    effort: Literal["minimal", "low", "medium", "high", "xhigh"]


class TokenLimits(Strict):
    post_instructions: int = Field(ge=0)


class RetentionRatio(Strict):
    type: Literal["retention_ratio"]
    retention_ratio: float = Field(ge=0, le=1)
    token_limits: TokenLimits | None = None


class Tracing(Strict):
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


MaxOutputTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]
OutputModalities = Annotated[list[Literal["audio", "text"]], Field(min_length=1, max_length=1)]


class SessionSettings(Strict):
    """The body of `session.update`: only the keys that were given change anything."""

    type: Literal["realtime"]
    model: str = ""
    output_modalities: OutputModalities = ["audio"]
    instructions: str = ""
    audio: Audio = Audio()
    tools: list[FunctionTool] = []
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    reasoning: Reasoning | None = None
    max_output_tokens: MaxOutputTokens = "inf"
    truncation: Literal["auto", "disabled"] | RetentionRatio = "auto"
    tracing: Literal["auto"] | Tracing | None = None
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None
