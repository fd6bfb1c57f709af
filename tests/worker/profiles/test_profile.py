"""One agent: what a profile may say, and what the session gets of it."""

import json
from typing import Any

import pytest
from openai.types.realtime import AudioTranscription, RealtimeFunctionTool, RealtimeTruncation
from openai.types.realtime.realtime_audio_input_turn_detection import RealtimeAudioInputTurnDetection
from pydantic import TypeAdapter, ValidationError

from worker.agents.front_desk import opening_hours
from worker.profiles import Profile, SemanticVad, ServerVad, Transcription
from worker.tools import CallInfo, tool

HOURS = "worker.agents.front_desk:opening_hours"


def profile(**settings: Any) -> Profile:
    return Profile.model_validate({"name": "test", "instructions": "Be kind."} | settings)


def complaint(**settings: Any) -> str:
    """The one thing that is wrong with a profile."""
    with pytest.raises(ValidationError) as error:
        profile(**settings)
    (detail,) = error.value.errors()
    return detail["msg"].removeprefix("Value error, ")


def test_a_profile_needs_only_its_instructions() -> None:
    """All else has a default that works on the phone."""
    plain = profile()
    assert (plain.model, plain.voice, plain.speed, plain.language) == ("gpt-realtime-2.1", "marin", 1.0, "en")
    assert (plain.tool_choice, plain.tools, plain.truncation_setting()) == ("auto", (), "auto")
    assert plain.turn_detection == ServerVad()
    assert plain.transcription == Transcription(model="gpt-transcribe", languages=["en"])
    assert plain.limits.model_dump() == {
        "max_call_s": 1800,
        "warn_before_end_s": 60,
        "silence_s": 12,
        "silence_questions": 1,
        "max_silent_responses": 3,
    }


def test_a_profile_cannot_be_changed() -> None:
    """All calls of a number share it."""
    with pytest.raises(ValidationError, match="frozen"):
        profile().voice = "ash"  # type: ignore[misc] # that is the point


def test_tools_are_ready_to_run() -> None:
    """Built-in ones by name, others imported; the model sees them in the profile's order."""
    agent = profile(tools=["end_call", HOURS, "escalate_to_human"])
    assert agent.builtin == {"end_call", "escalate_to_human", "escalation_status"}
    assert list(agent.toolbox) == [opening_hours]
    definitions = agent.definitions()
    also = ["escalation_status"]  # comes with the tool that asks for a person
    assert [definition["name"] for definition in definitions] == [
        "end_call",
        "opening_hours",
        "escalate_to_human",
        *also,
    ]
    for definition in definitions:
        RealtimeFunctionTool.model_validate(definition)


def test_whoever_may_ask_for_a_person_may_ask_how_that_stands() -> None:
    """`escalation_status` comes with `escalate_to_human`, and not without it."""
    assert "escalation_status" in profile(tools=["escalate_to_human"]).builtin
    alone = profile(tools=["end_call"])
    assert alone.builtin == {"end_call"}
    assert [definition["name"] for definition in alone.definitions()] == ["end_call"]


async def test_a_wrong_tool_is_told_all_the_tools() -> None:
    """Those that the call carries out are among them."""
    caller = CallInfo(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")
    output = await profile(tools=["end_call", HOURS]).toolbox.run("opening_times", "{}", caller)
    assert json.loads(output) == {"error": "There is no tool of this name. The tools are: opening_hours, end_call."}


def test_a_profile_made_in_code_takes_tools_themselves() -> None:
    """Without a detour by their names."""
    assert list(profile(tools=[opening_hours]).toolbox) == [opening_hours]


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ([HOURS, HOURS], "there are two tools called 'opening_hours'; each needs a name of its own"),
        (["end_call", "end_call"], "there are two tools called 'end_call'; each needs a name of its own"),
        (
            [tool(name="end_call", description="Mine.")(lambda: None), "end_call"],
            "there are two tools called 'end_call'; each needs a name of its own",
        ),
        (
            [tool(name="escalation_status", description="Mine.")(lambda: None), "escalate_to_human"],
            "there are two tools called 'escalation_status'; each needs a name of its own",
        ),
        (
            [tool(name="required", description="Mine.")(lambda: None)],
            "a tool cannot be called 'required', which means something else as tool_choice",
        ),
    ],
)
def test_tools_with_names_that_clash(tools: list[Any], reason: str) -> None:
    """The model calls tools by name, and a profile chooses one by name."""
    assert complaint(tools=tools) == reason


@pytest.mark.parametrize("choice", ["auto", "none", "required", "required_once", "opening_hours", "end_call"])
def test_tool_choices(choice: str) -> None:
    """A mode, or one of the profile's tools."""
    assert profile(tools=[HOURS, "end_call"], tool_choice=choice).tool_choice == choice


@pytest.mark.parametrize(
    ("tools", "choice", "reason"),
    [
        (
            [HOURS],
            "opening_hour",
            "is 'opening_hour' (did you mean 'opening_hours'?); allowed: auto, none, required, required_once, "
            "or one of this profile's tools: opening_hours",
        ),
        (
            [],
            "end_call",
            "is 'end_call'; allowed: auto, none, required, required_once, or one of this profile's tools: it has none",
        ),
        ([], "required", "is 'required', but the profile has no tools to call; allowed without tools: auto, none"),
        (
            [],
            "required_once",
            "is 'required_once', but the profile has no tools to call; allowed without tools: auto, none",
        ),
    ],
)
def test_tool_choices_that_cannot_be(tools: list[str], choice: str, reason: str) -> None:
    """A tool that the agent lacks, or any tool where there is none."""
    assert complaint(tools=tools, tool_choice=choice) == reason


def test_turn_detection_of_either_type() -> None:
    """With the fields of its type only, in the API's own shape; without a type it is the server's."""
    server = profile(turn_detection={"threshold": 0.7, "idle_timeout_ms": 6_000}).turn_detection
    assert server == ServerVad(threshold=0.7, idle_timeout_ms=6_000)
    semantic = profile(turn_detection={"type": "semantic_vad", "eagerness": "low"}).turn_detection
    assert semantic == SemanticVad(eagerness="low")
    for detection in (server, semantic):
        told = detection.model_dump(exclude_none=True)
        parsed: Any = TypeAdapter(RealtimeAudioInputTurnDetection).validate_python(told)
        assert parsed.model_dump(exclude_none=True) == told


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
    """It would refuse the whole session with it."""
    complaint(turn_detection=detection)


def test_transcription_expects_the_profiles_language() -> None:
    """As a hint, unless the profile gives its own; each model takes it under another name."""
    german = profile(language="de-AT").transcription
    assert german == Transcription(languages=["de"])
    both = profile(transcription={"languages": ["de", "en"], "keywords": ["Kai"]}).transcription
    assert both == Transcription(languages=["de", "en"], keywords=["Kai"])
    whisper = profile(transcription={"model": "gpt-realtime-whisper", "delay": "low"}).transcription
    assert whisper == Transcription(model="gpt-realtime-whisper", language="en", delay="low")
    for transcription in (german, both, whisper):
        assert transcription
        told = transcription.model_dump(exclude_none=True)
        assert AudioTranscription.model_validate(told).model_dump(exclude_none=True) == told


def test_transcription_can_be_off() -> None:
    """It costs money of its own."""
    assert profile(transcription=False).transcription is None
    assert profile(transcription=True).transcription == Transcription(languages=["en"])


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
    """Each model takes hints of its own kind."""
    assert complaint(transcription=transcription) == reason


def test_truncation() -> None:
    """A word, or the share of the conversation to keep, as the API wants it."""
    assert profile(truncation="disabled").truncation_setting() == "disabled"
    kept = profile(truncation={"retention_ratio": 0.8}).truncation_setting()
    assert kept == {"type": "retention_ratio", "retention_ratio": 0.8}
    limited = profile(truncation={"retention_ratio": 0.8, "post_instructions": 8_000}).truncation_setting()
    assert limited == {
        "type": "retention_ratio",
        "retention_ratio": 0.8,
        "token_limits": {"post_instructions": 8_000},
    }
    for setting in (kept, limited):
        parsed: Any = TypeAdapter(RealtimeTruncation).validate_python(setting)
        assert parsed.model_dump(exclude_none=True) == setting


@pytest.mark.parametrize("voice", ["cedar", {"id": "voice_123"}])
def test_voices(voice: Any) -> None:
    """One of OpenAI's, or one's own."""
    assert profile(voice=voice).voice == voice


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
    """Each is told with what is allowed."""
    assert complaint(**settings) == reason


@pytest.mark.parametrize("tokens", [1, 4096, "inf"])
def test_output_tokens(tokens: Any) -> None:
    """As many as the API allows."""
    assert profile(max_output_tokens=tokens).max_output_tokens == tokens
