"""The simulation's events are checked against the official SDK's types, an independent source."""

from typing import Any

import pytest
from openai._models import BaseModel
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import TypeAdapter

from local.audio.recogniser import Dictated
from local.model import CallTool, Say, Scripted, SimulatedModel
from local.model.faults import (
    CutShort,
    FailResponse,
    FailTranscription,
    Fault,
    LateTranscription,
    NeverFinish,
)
from tests.local.model.client import HOURS, MU_LAW, Client, Event, connected, talking

SERVER: TypeAdapter[BaseModel] = TypeAdapter(RealtimeServerEvent)
CLIENT: TypeAdapter[BaseModel] = TypeAdapter(RealtimeClientEvent)
# Fields that the service sends and the SDK's types lack.
UNTYPED = {"session.id", "session.object", "session.expires_at"}
# Every part of a session at once.
EVERYTHING: dict[str, Any] = {
    "tools": [HOURS],
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "transcription": {"model": "gpt-transcribe", "keywords": ["Bellhop"]},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000},
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "marin", "speed": 1.1},
    },
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 8000}},
    "max_output_tokens": 4000,
    "reasoning": {"effort": "minimal"},
    "tracing": "auto",
}


def _untyped(value: Any, path: str = "") -> set[str]:
    """The paths of fields that the SDK's models do not declare, at any depth."""
    if isinstance(value, list):
        return {found for item in value for found in _untyped(item, path)}
    if not isinstance(value, BaseModel):
        return set()
    typed = ((key, getattr(value, key)) for key in value.model_fields_set)
    below = {found for key, child in typed for found in _untyped(child, f"{path}{key}.")}
    return below | {f"{path}{key}" for key in value.model_extra or {}}


def _check_server_event(event: Event) -> None:
    typed = SERVER.validate_python(event)
    assert typed.model_dump(mode="json", exclude_unset=True) == event
    assert _untyped(typed) - UNTYPED == set()
    assert event["event_id"]


async def _a_whole_conversation(client: Client) -> None:
    """Uses every client event, which causes every server event."""
    await client.configure(**EVERYTHING)
    await client.respond(instructions="Greet the caller.", metadata={"reason": "greeting"})
    await client.speak()
    await client.until("response.done")
    call = client.of_type("response.output_item.done")[-1]["item"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "nine to five"}
    await client.send("conversation.item.create", item=output)
    await client.send("response.create")
    await client.until("response.output_audio.delta")
    await client.speak()
    await client.until("response.done")  # interrupted
    await client.until("response.done")  # the answer to what interrupted it
    said = client.of_type("response.output_audio.delta")[-1]["item_id"]
    await client.send("conversation.item.truncate", item_id=said, content_index=0, audio_end_ms=100)
    await client.send("conversation.item.retrieve", item_id=said)
    await client.send("conversation.item.delete", item_id=said)
    await client.until("conversation.item.deleted")
    await client.respond(output_modalities=["text"])
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "5"}]}
    await client.send("conversation.item.create", item=message, previous_item_id="root")
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")


async def test_every_event_of_a_whole_conversation_is_one_of_the_sdks() -> None:
    """No event has a type or a field that the SDK does not declare."""
    brain = Scripted(
        Say("Hello.", ms=400), CallTool("opening_hours", {"day": "mon"}), Say("From nine to five.", ms=9000)
    )
    async with SimulatedModel(brain=brain, recogniser=Dictated("when are you open", "stop")) as model:
        async with connected(model) as client:
            await _a_whole_conversation(client)
            for event in client.events:
                _check_server_event(event)
        assert model.refusals == []
        expected = {
            "conversation.item.input_audio_transcription.delta",
            "conversation.item.input_audio_transcription.completed",
            "conversation.item.retrieved",
            "conversation.item.truncated",
            "input_audio_buffer.speech_stopped",
            "rate_limits.updated",
            "response.function_call_arguments.done",
            "response.output_text.done",
        }
        assert expected <= set(client.types)


async def test_every_client_event_that_is_accepted_is_one_of_the_sdks() -> None:
    """The SDK's types accept every client event that the simulation accepts."""
    brain = Scripted(
        Say("Hello.", ms=400), CallTool("opening_hours", {"day": "mon"}), Say("From nine to five.", ms=9000)
    )
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model:
        async with connected(model) as client:
            await _a_whole_conversation(client)
        for record in model.sessions[0].received:
            typed = CLIENT.validate_python(record.event)
            assert typed.model_dump(mode="json", exclude_unset=True) == record.event
            assert _untyped(typed) == set()


@pytest.mark.parametrize(
    "fault",
    [
        CutShort(),
        FailResponse(),
        FailTranscription(),
        LateTranscription(seconds=0),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_the_events_of_a_failure_are_the_sdks_too(fault: Fault) -> None:
    """Every failure of a response uses the service's event formats."""
    brain = Scripted([Say("Let me look.", ms=600), CallTool("opening_hours", {"day": "mon"})])
    async with SimulatedModel(brain=brain, recogniser=Dictated("when")) as model:
        model.faults.add(fault)
        transcription = {"input": MU_LAW["input"] | {"transcription": {"model": "whisper-1"}}}
        async with talking(model, tools=[HOURS], audio=transcription) as client:
            await client.speak()
            await client.until("response.done")
            for event in client.events:
                _check_server_event(event)


async def test_the_events_around_a_cancelled_response_are_the_sdks_too() -> None:
    """A response that hangs and is cancelled; then the session expires."""
    async with SimulatedModel(brain=Scripted(Say("Well.", ms=900)), recogniser=Dictated()) as model:
        model.faults.add(NeverFinish())
        async with talking(model) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            await client.until("response.done")
            await model.sessions[0].expire()
            await client.until("error")
            for event in client.events:
                _check_server_event(event)
