"""An agent's `session.update`."""

from typing import Any

import msgspec
import pytest
from openai.types.realtime import SessionUpdateEvent

from tests.worker.dialogue import agent
from worker.engines.realtime.events import Session
from worker.engines.realtime.session import replaces_all, session_update, tool_choice_update, wrong_format

PCMU = {"format": {"type": "audio/pcmu"}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"transcription": False, "noise_reduction": "far_field", "max_output_tokens": 900, "speed": 1.1},
        {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}, "reasoning_effort": "minimal"},
        {"truncation": {"retention_ratio": 0.8, "post_instructions": 8000}, "voice": {"id": "voice_1"}},
    ],
)
def test_official_types(changes: dict[str, Any]) -> None:
    """The update is valid for the official SDK's types, with any settings of the agent."""
    update = session_update(agent(**changes), "auto")
    SessionUpdateEvent.model_validate(update, strict=True)
    assert update["session"]["audio"]["input"]["format"] == PCMU["format"]
    SessionUpdateEvent.model_validate(tool_choice_update({"type": "function", "name": "x"}), strict=True)


def test_uninterruptible() -> None:
    """Without interruptions the call itself requests the answers, so the server must not create them."""
    detection = {"type": "server_vad", "interrupt_response": False}
    session = session_update(agent(turn_detection=detection), "auto")["session"]
    assert session["audio"]["input"]["turn_detection"]["create_response"] is False


def test_tool_choice_update_touches_nothing_else() -> None:
    """Repeating turn detection while a response runs could abort it."""
    assert tool_choice_update("auto")["session"] == {"type": "realtime", "tool_choice": "auto"}


@pytest.mark.parametrize(
    ("session", "names"),
    [
        ({"audio": {"input": PCMU, "output": PCMU}}, None),
        ({"audio": {"input": {"format": {"type": "audio/pcm"}}, "output": PCMU}}, "audio.input.format is audio/pcm"),
        ({"audio": {"input": PCMU}}, "audio.output.format is missing"),
        ({}, "audio.input.format is missing"),
    ],
)
def test_wrong_format(session: dict[str, Any], names: str | None) -> None:
    """The message has the direction and the format that is not mu-law."""
    wrong = wrong_format(msgspec.convert(session, Session))
    assert wrong is None if names is None else wrong is not None and wrong.startswith(names)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"a": 1}, True),
        ({"a": 1}, {"a": 2, "b": 3}, True),
        ({"a": 1}, {"b": 3}, False),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, True),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, False),
        ({"a": {"b": 1}}, {"a": None}, True),
        ({"a": [{"b": 1}]}, {"a": []}, True),
    ],
)
def test_replaces_all(old: dict[str, Any], new: dict[str, Any], expected: bool) -> None:
    """Every old setting is set again, at any depth; a list counts as one setting."""
    assert replaces_all(old, new) is expected
