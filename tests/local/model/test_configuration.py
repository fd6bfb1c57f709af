"""A session's configuration: updates apply completely or not at all, and some settings cannot be changed."""

from typing import Any

import pytest

from local.model.configuration import Configuration
from local.model.refusals import Refused
from tests.local.model.client import HOURS, MU_LAW


def _settings(**session: Any) -> dict[str, Any]:
    return {"type": "realtime"} | session


def _configuration(model: str = "gpt-realtime-2.1", **session: Any) -> Configuration:
    configuration = Configuration(model, lifetime_s=3600)
    configuration.update(_settings(**session), spoken=False, speaking=False)
    return configuration


def _refusal(configuration: Configuration, *, spoken: bool = False, speaking: bool = False, **session: Any) -> Refused:
    before = configuration.session
    with pytest.raises(Refused) as refused:
        configuration.update(_settings(**session), spoken=spoken, speaking=speaking)
    assert configuration.session == before
    return refused.value


def test_only_what_an_update_names_changes() -> None:
    """Setting the output's format keeps the input's; setting tools keeps the instructions."""
    configuration = _configuration(instructions="Be kind.", audio={"input": MU_LAW["input"]})
    configuration.update(_settings(audio={"output": MU_LAW["output"]}, tools=[HOURS]), spoken=False, speaking=False)
    assert configuration.audio_input["format"] == configuration.audio_output["format"] == {"type": "audio/pcmu"}
    assert configuration.audio_input["turn_detection"]["silence_duration_ms"] == 500
    assert configuration.session["instructions"] == "Be kind."
    assert configuration.session["tools"] == [HOURS]


def test_null_switches_off_what_can_be_switched_off() -> None:
    """Turn detection, transcription and noise reduction."""
    on = {"transcription": {"model": "whisper-1"}, "noise_reduction": {"type": "near_field"}}
    configuration = _configuration(audio={"input": on})
    configuration.update(
        _settings(audio={"input": {"turn_detection": None, "transcription": None, "noise_reduction": None}}),
        spoken=False,
        speaking=False,
    )
    off = [configuration.audio_input[key] for key in ("turn_detection", "transcription", "noise_reduction")]
    assert off == [None, None, None]


def test_new_turn_detection_has_the_defaults_of_its_own_type() -> None:
    """Semantic VAD keeps no setting of server VAD."""
    configuration = _configuration(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    assert configuration.audio_input["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def test_the_strength_of_noise_reduction_is_kept_when_it_is_left_out() -> None:
    """It is 1 at first, then the last value given."""
    first = _configuration(audio={"input": {"noise_reduction": {"type": "near_field"}}})
    assert first.audio_input["noise_reduction"]["strength"] == 1.0
    second = _configuration(audio={"input": {"noise_reduction": {"type": "near_field", "strength": 0.3}}})
    far = _settings(audio={"input": {"noise_reduction": {"type": "far_field"}}})
    second.update(far, spoken=False, speaking=False)
    assert second.audio_input["noise_reduction"] == {"type": "far_field", "strength": 0.3}


def test_the_voice_is_fixed_once_the_model_has_spoken() -> None:
    """The same voice again is no change; another one is refused, in updates and in responses."""
    configuration = _configuration(audio={"output": {"voice": "marin"}})
    configuration.update(_settings(audio={"output": {"voice": "marin"}}), spoken=True, speaking=False)
    refused = _refusal(configuration, spoken=True, audio={"output": {"voice": "cedar"}})
    assert (refused.code, refused.param) == ("cannot_update_voice", "session.audio.output.voice")
    request = {"audio": {"output": {"voice": "cedar"}}}
    with pytest.raises(Refused, match="voice"):
        configuration.for_response(request, spoken=True)


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"model": "gpt-realtime-1.5"}, "session.model"),
        ({"audio": {"output": {"speed": 1.2}}}, "session.audio.output.speed"),
        ({"tracing": {"workflow_name": "calls"}}, "session.tracing"),
        ({"tool_choice": {"type": "function", "name": "nobody"}}, "session.tool_choice"),
        ({"tool_choice": "required"}, "session.tool_choice"),
        ({"tools": [HOURS, HOURS]}, "session.tools[1].name"),
    ],
)
def test_an_impossible_update_is_refused_completely(session: dict[str, Any], param: str) -> None:
    """Another model, another speed mid-response, other tracing, a choice without its tool, a tool twice."""
    refused = _refusal(_configuration(tracing="auto"), speaking=True, instructions="Never seen.", **session)
    assert (refused.code, refused.param) == ("invalid_value", param)


def test_tools_cannot_leave_while_the_choice_needs_one() -> None:
    """The choice is checked against the session after the update."""
    configuration = _configuration(tools=[HOURS], tool_choice="required")
    assert _refusal(configuration, tools=[]).param == "session.tool_choice"


@pytest.mark.parametrize("key", ["reasoning", "parallel_tool_calls"])
def test_reasoning_is_for_reasoning_models(key: str) -> None:
    """Other models refuse these keys, in updates and in responses."""
    value: Any = {"effort": "low"} if key == "reasoning" else True
    configuration = _configuration("gpt-realtime-1.5")
    assert key not in configuration.session
    assert _refusal(configuration, **{key: value}).param == f"session.{key}"
    with pytest.raises(Refused, match=key):
        configuration.for_response({key: value}, spoken=False)
    assert _configuration("gpt-realtime-2.1", **{key: value}).session[key] == value


def test_a_response_replaces_the_sessions_settings_for_itself_alone() -> None:
    """Instructions, tool choice and voice come from the request, the rest from the session, which does not change."""
    configuration = _configuration(tools=[HOURS], instructions="Be kind.")
    body = {"instructions": "Say hello.", "tool_choice": "none", "audio": {"output": {"voice": "cedar"}}}
    settings = configuration.for_response(body, spoken=False)
    assert (settings["instructions"], settings["tool_choice"], settings["tools"]) == ("Say hello.", "none", [HOURS])
    assert settings["audio"]["output"]["voice"] == "cedar"
    assert configuration.session["instructions"] == "Be kind."
    assert configuration.audio_output["voice"] == "alloy"


def test_a_responses_own_tool_choice_needs_its_tool() -> None:
    """It may name a tool of its own request, but no unknown one."""
    configuration = _configuration(tools=[HOURS])
    choice = {"type": "function", "name": "book"}
    with pytest.raises(Refused, match="book"):
        configuration.for_response({"tool_choice": choice}, spoken=False)
    own = {"tool_choice": choice, "tools": [HOURS | {"name": "book"}]}
    assert configuration.for_response(own, spoken=False)["tools"][0]["name"] == "book"
