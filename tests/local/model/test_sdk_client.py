"""The official SDK's own realtime client holds a conversation with the simulated model."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent, ResponseDoneEvent
from openai.types.realtime.realtime_session_create_request_param import RealtimeSessionCreateRequestParam
from websockets.exceptions import InvalidStatus

from local.audio.recogniser import Dictated
from local.model import CallTool, Say, Scripted, SimulatedModel
from tests.local.model.client import SPEECH

SESSION: RealtimeSessionCreateRequestParam = {
    "type": "realtime",
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "transcription": {"model": "gpt-transcribe"}},
        "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
    },
    "tools": [
        {
            "type": "function",
            "name": "opening_hours",
            "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
        }
    ],
}


@asynccontextmanager
async def _sdk(model: SimulatedModel, key: str = "sk-test") -> AsyncIterator[AsyncRealtimeConnection]:
    async with AsyncOpenAI(api_key=key, base_url=model.url).realtime.connect(model="gpt-realtime-2.1") as connection:
        yield connection


async def _until(connection: AsyncRealtimeConnection, name: str) -> list[RealtimeServerEvent]:
    events = []
    async for event in connection:
        events.append(event)
        if event.type == name:
            break
    return events


async def _speak(connection: AsyncRealtimeConnection) -> None:
    for start in range(0, len(SPEECH), 160):
        await connection.input_audio_buffer.append(audio=base64.b64encode(SPEECH[start : start + 160]).decode())


async def _give(connection: AsyncRealtimeConnection, call_id: str, output: str) -> None:
    await connection.conversation.item.create(
        item={"type": "function_call_output", "call_id": call_id, "output": output}
    )
    await connection.response.create()


def _done(events: list[RealtimeServerEvent]) -> ResponseDoneEvent:
    assert isinstance(events[-1], ResponseDoneEvent)
    return events[-1]


async def _ask(sdk: AsyncRealtimeConnection) -> str:
    """The caller asks a question and the model calls its tool; returns the call's id."""
    await _speak(sdk)
    events = await _until(sdk, "response.done")
    [heard] = [e for e in events if e.type == "conversation.item.input_audio_transcription.completed"]
    assert heard.transcript == "when are you open"
    [call] = _done(events).response.output or []
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"day": "mon"}
    assert call.call_id is not None
    return call.call_id


async def _barge_in(sdk: AsyncRealtimeConnection) -> None:
    """The caller interrupts the answer, which is truncated to what was heard."""
    [*_, delta] = await _until(sdk, "response.output_audio.delta")
    await _speak(sdk)
    done = _done(await _until(sdk, "response.done"))
    assert done.response.status == "cancelled"
    assert done.response.status_details is not None
    assert done.response.status_details.reason == "turn_detected"
    assert delta.type == "response.output_audio.delta"
    await sdk.conversation.item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=200)
    [*_, truncated] = await _until(sdk, "conversation.item.truncated")
    assert truncated.type == "conversation.item.truncated"
    assert truncated.audio_end_ms == 200


async def test_the_sdk_holds_a_whole_conversation() -> None:
    """A greeting, a spoken question, a tool call and its answer, a barge-in, a truncation, and a farewell."""
    brain = Scripted(
        Say("Hello.", ms=500),
        CallTool("opening_hours", {"day": "mon"}),
        Say("From nine to five.", ms=30_000),
        Say("Bye."),
    )
    model = SimulatedModel(brain=brain, recogniser=Dictated("when are you open", "stop"))
    async with model, _sdk(model) as sdk:
        await sdk.session.update(session=SESSION)
        await _until(sdk, "session.updated")
        await sdk.response.create(response={"instructions": "Greet the caller."})
        assert _done(await _until(sdk, "response.done")).response.status == "completed"
        call_id = await _ask(sdk)
        await _give(sdk, call_id, "nine to five")
        await _barge_in(sdk)
        assert _done(await _until(sdk, "response.done")).response.status == "completed"
    assert model.refusals == []


async def test_the_sdk_hears_that_its_key_is_not_taken() -> None:
    """Without a key the handshake ends with 401, as at the real service."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model:
        with pytest.raises(InvalidStatus) as refused:
            async with _sdk(model, key=" "):
                pass
    assert refused.value.response.status_code == 401


async def test_the_sdks_beta_client_is_turned_away() -> None:
    """It sends the header of the removed beta: an error comes, and the socket closes with 4000."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model:
        url = model.url.replace("http", "ws", 1)
        beta = AsyncOpenAI(api_key="sk-test", websocket_base_url=url).beta.realtime
        async with beta.connect(model="gpt-realtime-2.1") as connection:
            event = await connection.recv()
            assert event.type == "error"
            assert event.error.code == "beta_api_shape_disabled"
            await connection._connection.wait_closed()
            assert connection._connection.close_code == 4000
