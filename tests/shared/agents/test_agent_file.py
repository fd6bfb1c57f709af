"""The keys of an agent file and their allowed values."""

from typing import Any

import pytest
from openai.types.realtime import AudioTranscription
from openai.types.realtime.realtime_audio_input_turn_detection import RealtimeAudioInputTurnDetection
from pydantic import TypeAdapter, ValidationError

from shared.agents import AgentFile, SemanticVad, ServerVad, Transcription


def agent(**settings: Any) -> AgentFile:
    return AgentFile.model_validate({"name": "test", "instructions": "Be kind."} | settings)


def complaint(**settings: Any) -> str:
    """The message of the only problem in an agent file."""
    with pytest.raises(ValidationError) as error:
        agent(**settings)
    (detail,) = error.value.errors()
    return detail["msg"].removeprefix("Value error, ")


def test_an_agent_needs_only_its_instructions() -> None:
    """All other keys have defaults that work for phone calls."""
    plain = agent()
    assert (plain.model, plain.voice, plain.speed, plain.language) == ("gpt-realtime-2.1", "marin", 1.0, "en")
    assert (plain.tool_choice, plain.tools, plain.truncation) == ("auto", (), "auto")
    assert plain.turn_detection == ServerVad()
    assert plain.transcription == Transcription(model="gpt-transcribe", languages=["en"])
    assert plain.limits.model_dump() == {
        "max_call_s": 1800,
        "warn_before_end_s": 60,
        "silence_s": 12,
        "silence_questions": 1,
        "max_silent_responses": 3,
    }


def test_an_agent_cannot_be_changed() -> None:
    """All calls of a number share the agent."""
    with pytest.raises(ValidationError, match="frozen"):
        agent().voice = "ash"  # type: ignore[misc] # that is the point


def test_turn_detection_of_either_type() -> None:
    """With the fields of its type only, in the API's shape; the default type is `server_vad`."""
    server = agent(turn_detection={"threshold": 0.7, "idle_timeout_ms": 6_000}).turn_detection
    assert server == ServerVad(threshold=0.7, idle_timeout_ms=6_000)
    semantic = agent(turn_detection={"type": "semantic_vad", "eagerness": "low"}).turn_detection
    assert semantic == SemanticVad(eagerness="low")
    for detection in (server, semantic):
        dumped = detection.model_dump(exclude_none=True)
        parsed: Any = TypeAdapter(RealtimeAudioInputTurnDetection).validate_python(dumped)
        assert parsed.model_dump(exclude_none=True) == dumped


@pytest.mark.parametrize(
    "detection",
    [
        {"type": "semantic_vad", "threshold": 0.5},
        {"type": "server_vad", "eagerness": "low"},
        {"idle_timeout_ms": 4_999},
        {"threshold": 1.1},
        {"silence_duration_ms": 0.5},
        {"type": "none"},
    ],
)
def test_turn_detection_that_the_api_would_refuse(detection: dict[str, Any]) -> None:
    """The API would refuse the whole session."""
    complaint(turn_detection=detection)


def test_transcription_expects_the_agents_language() -> None:
    """As a hint, unless the file has its own; each model has its own name for the hint."""
    german = agent(language="de-AT").transcription
    assert german == Transcription(languages=["de"])
    both = agent(transcription={"languages": ["de", "en"], "keywords": ["Kai"]}).transcription
    assert both == Transcription(languages=["de", "en"], keywords=["Kai"])
    whisper = agent(transcription={"model": "gpt-realtime-whisper", "delay": "low"}).transcription
    assert whisper == Transcription(model="gpt-realtime-whisper", language="en", delay="low")
    for transcription in (german, both, whisper):
        assert transcription
        dumped = transcription.model_dump(exclude_none=True)
        assert AudioTranscription.model_validate(dumped).model_dump(exclude_none=True) == dumped


def test_transcription_can_be_off() -> None:
    """It costs extra."""
    assert agent(transcription=False).transcription is None
    assert agent(transcription=True).transcription == Transcription(languages=["en"])


@pytest.mark.parametrize(
    ("transcription", "reason"),
    [
        ({"language": "en"}, 'only gpt-realtime-whisper takes it; write languages = ["en"] instead'),
        ({"delay": "low"}, "only gpt-realtime-whisper takes it"),
        (
            {"model": "gpt-realtime-whisper", "languages": ["en"]},
            'gpt-realtime-whisper does not take it; write language = "en" instead',
        ),
        ({"model": "gpt-realtime-whisper", "prompt": "x"}, "gpt-realtime-whisper does not take it"),
        ({"model": "whisper-1"}, "whisper-1 is retired (shut down by 2027-02-26 at the latest); use gpt-transcribe"),
        ("whisper-1", "is 'whisper-1'; allowed: true, false, or a table"),
    ],
)
def test_transcription_that_its_model_refuses(transcription: Any, reason: str) -> None:
    """Each model takes other hints."""
    assert complaint(transcription=transcription) == reason


@pytest.mark.parametrize("voice", ["cedar", {"id": "voice_123"}])
def test_voices(voice: Any) -> None:
    """One of OpenAI's, or a custom voice."""
    assert agent(voice=voice).voice == voice


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"voice": "ceder"},
            "there is no voice 'ceder' (did you mean 'cedar'?); allowed: marin, cedar, alloy, ash, ballad, coral, "
            'echo, sage, shimmer, verse, or a voice of your own as {id = "voice_..."}',
        ),
        (
            {"model": "gpt-4o-realtime-preview"},
            "gpt-4o-realtime-preview is retired (shut down by 2027-01-20 at the latest); use gpt-realtime-2.1",
        ),
        (
            {"model": "gpt-realtime-3"},
            "there is no such model as 'gpt-realtime-3'; allowed: gpt-realtime-2.1, gpt-realtime-2.1-mini, "
            "gpt-realtime-2, gpt-realtime-1.5",
        ),
        (
            {"model": "gpt-realtime-1.5", "reasoning_effort": "low"},
            "gpt-realtime-1.5 does not reason and refuses it; allowed with: gpt-realtime-2.1, gpt-realtime-2.1-mini, "
            "gpt-realtime-2",
        ),
        (
            {"numbers": ["5551234"]},
            "'5551234' is no phone number; allowed: '+', country code and number, as in '+15551234567'",
        ),
        ({"numbers": [15551234567]}, "Input should be a valid string"),
        ({"tools": [7]}, "Input should be a valid string"),
        ({"language": "english"}, "'english' is no language code; allowed: one such as 'en', 'de' or 'en-US'"),
        ({"max_output_tokens": 4097}, 'is 4097; allowed: 1 to 4096, or "inf"'),
        ({"max_output_tokens": True}, 'is True; allowed: 1 to 4096, or "inf"'),
        ({"limits": {"max_call_s": 60}}, "is 60; allowed: less than max_call_s, which is 60; 0 for no warning"),
        ({"limits": {"silence_s": 0}}, "Input should be greater than 0"),
        ({"speed": 1.6}, "Input should be less than or equal to 1.5"),
        ({"speed": "1.0"}, "Input should be a valid number"),
        ({"instructions": " "}, "String should have at least 1 character"),
        ({"greeting": ""}, "String should have at least 1 character"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], reason: str) -> None:
    """Each message says what is allowed."""
    assert complaint(**settings) == reason


@pytest.mark.parametrize("tokens", [1, 4096, "inf"])
def test_output_tokens(tokens: Any) -> None:
    """The range that the API allows."""
    assert agent(max_output_tokens=tokens).max_output_tokens == tokens


def test_tools_are_names() -> None:
    """Whether the tool exists is not checked, so `tool_choice` may be any name."""
    read = agent(tools=["end_call", "front_desk:opening_hours"], tool_choice="opening_hours")
    assert read.tools == ("end_call", "front_desk:opening_hours")
    assert complaint(tools=["end_cal"]).startswith("'end_cal' names no tool (did you mean 'end_call'?); allowed: ")
