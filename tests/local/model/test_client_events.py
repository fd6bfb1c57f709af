"""Client events are accepted as by the API, or refused with the API's code and parameter."""

import json
from typing import Any

import pytest

from local.model.client_events import CLIENT_EVENTS, decode, parse
from local.model.refusals import Refused
from tests.local.model.client import HOURS


def _refusal(event: dict[str, Any]) -> tuple[str | None, str | None]:
    with pytest.raises(Refused) as refused:
        parse(event)
    return refused.value.code, refused.value.param


def _update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime"} | session}


def _input(**settings: Any) -> dict[str, Any]:
    return _update(audio={"input": settings})


def _item(**item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", 0.8),
        ("voice", "marin"),
        ("modalities", ["audio", "text"]),
        ("turn_detection", {"type": "server_vad"}),
        ("input_audio_format", "g711_ulaw"),
        ("output_audio_format", "g711_ulaw"),
        ("input_audio_transcription", {"model": "whisper-1"}),
        ("input_audio_noise_reduction", None),
        ("max_response_output_tokens", 100),
        ("speed", 1.0),
        ("anything", 1),
    ],
)
def test_a_key_of_the_beta_or_an_unknown_one_is_refused(key: str, value: object) -> None:
    """The refusal names the key, so that the error is enough to find a wrong update."""
    assert _refusal(_update(**{key: value})) == ("unknown_parameter", f"session.{key}")


@pytest.mark.parametrize(
    ("event", "param"),
    [
        (_input(format={"type": "audio/pcmu", "rate": 8000}), "session.audio.input.format.rate"),
        (
            _input(turn_detection={"type": "semantic_vad", "threshold": 0.5}),
            "session.audio.input.turn_detection.threshold",
        ),
        (_update(tools=[HOURS | {"strict": True}]), "session.tools[0].strict"),
        (
            _item(type="message", role="user", content=[{"type": "input_text", "text": "a", "language": "en"}]),
            "item.content[0].language",
        ),
    ],
)
def test_an_unknown_key_deep_in_an_event_is_named_by_its_path(event: dict[str, Any], param: str) -> None:
    """It is unknown for the intended type, even if another type at the same place has it."""
    assert _refusal(event) == ("unknown_parameter", param)


def test_a_session_needs_its_type() -> None:
    """This error comes before others: a session in the beta's format fails with it."""
    event = {"type": "session.update", "session": {"modalities": ["audio"]}}
    assert _refusal(event) == ("missing_required_parameter", "session.type")


@pytest.mark.parametrize(
    ("event", "param"),
    [
        (_input(format={"type": "g711_ulaw"}), "session.audio.input.format.type"),
        (_input(format={"type": "audio/pcm", "rate": 8000}), "session.audio.input.format.rate"),
        (_input(noise_reduction={"type": "loud"}), "session.audio.input.noise_reduction.type"),
        (_input(transcription={"model": "mine"}), "session.audio.input.transcription.model"),
        (_input(transcription={"model": "whisper-1", "keywords": ["a"]}), "session.audio.input.transcription"),
        (_input(transcription={"model": "gpt-transcribe", "delay": "low"}), "session.audio.input.transcription"),
        (_input(transcription={"model": "gpt-realtime-whisper", "prompt": "a"}), "session.audio.input.transcription"),
        (_input(turn_detection={"type": "none"}), "session.audio.input.turn_detection.type"),
        (
            _input(turn_detection={"type": "server_vad", "threshold": 1.5}),
            "session.audio.input.turn_detection.threshold",
        ),
        (
            _input(turn_detection={"type": "server_vad", "idle_timeout_ms": 100}),
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (
            _input(turn_detection={"type": "semantic_vad", "eagerness": "max"}),
            "session.audio.input.turn_detection.eagerness",
        ),
        (_update(audio={"output": {"voice": "bob"}}), "session.audio.output.voice"),
        (_update(audio={"output": {"speed": 2.0}}), "session.audio.output.speed"),
        (_update(output_modalities=["audio", "text"]), "session.output_modalities"),
        (_update(max_output_tokens=0), "session.max_output_tokens"),
        (_update(max_output_tokens=5000), "session.max_output_tokens"),
        (_update(tool_choice="sometimes"), "session.tool_choice"),
        (_update(truncation={"type": "retention_ratio", "retention_ratio": 1.5}), "session.truncation.retention_ratio"),
        (_update(reasoning={"effort": "much"}), "session.reasoning.effort"),
        (_update(tools=[HOURS | {"name": "opening hours"}]), "session.tools[0].name"),
        (_item(type="message", role="assistant", content=[{"type": "text", "text": "a"}]), "item.content[0].type"),
        (_item(type="message", role="user", content=[{"type": "text", "text": "a"}]), "item.content[0].type"),
        (_item(type="message", role="user", content=[]), "item.content"),
        (_item(type="message", role="nobody", content=[]), "item.role"),
        (_item(type="function_call_output", call_id="a/b", output=""), "item.call_id"),
        (_item(type="thing"), "item.type"),
        ({"type": "response.create", "response": {"conversation": "none"}}, "response.conversation"),
        ({"type": "response.create", "response": {"input": []}}, "response.input"),
        ({"type": "response.create", "response": {"metadata": {"a": "b" * 513}}}, "response.metadata.a"),
    ],
)
def test_a_value_that_the_api_does_not_know_is_invalid(event: dict[str, Any], param: str) -> None:
    """Out of range, not in the list, or not for this model: each refusal names its parameter."""
    assert _refusal(event) == ("invalid_value", param)


@pytest.mark.parametrize(
    ("event", "param"),
    [
        (_update(instructions=None), "session.instructions"),
        (_update(tools=[HOURS | {"description": None}]), "session.tools[0].description"),
        (_update(tools="opening_hours"), "session.tools"),
        (_update(parallel_tool_calls="yes"), "session.parallel_tool_calls"),
        (_item(type="function_call_output", call_id="call_1", output={"open": True}), "item.output"),
        ({"type": "input_audio_buffer.append", "audio": 5}, "audio"),
        (
            {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1.5},
            "audio_end_ms",
        ),
        ({"type": "response.create", "response": None}, "response"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(event: dict[str, Any], param: str) -> None:
    """Nothing is converted: a tool's output must be a string, for example."""
    assert _refusal(event) == ("invalid_type", param)


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({}, "type"),
        (_update(tools=[{"type": "function", "function": {"name": "nested_as_in_chat"}}]), "session.tools[0].name"),
        (_update(tools=[{"type": "mcp", "server_label": "not simulated"}]), "session.tools[0].name"),
        (_update(audio={"input": {"format": {}}}), "session.audio.input.format.type"),
        ({"type": "conversation.item.truncate", "item_id": "a", "content_index": 0}, "audio_end_ms"),
        ({"type": "conversation.item.create"}, "item"),
        (_item(type="function_call_output", output="a"), "item.call_id"),
        ({"type": "input_audio_buffer.append"}, "audio"),
    ],
)
def test_what_is_missing_is_named(event: dict[str, Any], param: str) -> None:
    """A missing required parameter."""
    assert _refusal(event) == ("missing_required_parameter", param)


def test_unknown_parameters_of_events_and_responses_are_refused() -> None:
    """Not only those of the session."""
    assert _refusal({"type": "response.cancel", "reason": "a"}) == ("unknown_parameter", "reason")
    assert _refusal({"type": "response.create", "response": {"modalities": ["audio"]}}) == (
        "unknown_parameter",
        "response.modalities",
    )


def test_the_refusal_of_an_unknown_event_type_lists_all_types() -> None:
    """The eleven client events."""
    with pytest.raises(Refused, match=r"session\.update") as refused:
        parse({"type": "response.audio.delta"})
    assert (refused.value.code, refused.value.param) == ("invalid_value", "type")
    assert len(CLIENT_EVENTS) == 11


@pytest.mark.parametrize(("frame", "code"), [("{", "invalid_json"), ("[]", "invalid_event"), (b"{}", "invalid_event")])
def test_a_frame_that_is_no_event_is_refused(frame: str | bytes, code: str) -> None:
    """Invalid JSON, no object, or a binary frame."""
    with pytest.raises(Refused) as refused:
        decode(frame)
    assert refused.value.code == code


def test_everything_that_a_session_may_hold_is_taken() -> None:
    """Each key of the GA session, with a valid value."""
    parse(
        _update(
            model="gpt-realtime-2.1",
            output_modalities=["audio"],
            instructions="Be kind.",
            audio={
                "input": {
                    "format": {"type": "audio/pcma"},
                    "noise_reduction": {"type": "far_field", "strength": 0.5},
                    "transcription": {"model": "gpt-transcribe", "language": "en", "keywords": ["Bellhop"]},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "low", "create_response": False},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": {"id": "voice_1"}, "speed": 0.5},
            },
            tools=[HOURS],
            tool_choice={"type": "function", "name": "opening_hours"},
            parallel_tool_calls=False,
            reasoning={"effort": "xhigh"},
            max_output_tokens="inf",
            truncation="disabled",
            tracing={"workflow_name": "calls"},
            include=["item.input_audio_transcription.logprobs"],
        )
    )


def test_a_decoded_event_is_the_json_object_of_the_frame() -> None:
    """Unchanged, with unknown keys, for the record."""
    assert decode(json.dumps({"type": "x", "y": 1})) == {"type": "x", "y": 1}
