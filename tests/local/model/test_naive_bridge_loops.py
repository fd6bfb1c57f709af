"""Common bridges loop without end on `tool_choice: required`, and send a storm of requests after a late cancel. The
simulated model must reproduce both faults; otherwise it could not prove that the worker has neither."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.audio.recogniser import Dictated
from local.audio.speech import silence, tone
from local.model import CallTool, FrontDesk, Say, Scripted, SimulatedModel
from tests.local.model.client import HOURS, Client, talking

RESPONSES = 50
REFUSALS = 200


async def _naive_bridge(client: Client) -> None:
    """Speaks first with a bare `response.create`; sends another after each tool's output and after each error."""
    await client.send("response.create")
    while True:
        event = await client.receive()
        match event["type"]:
            case "response.function_call_arguments.done":
                output = {
                    "type": "function_call_output",
                    "call_id": event["call_id"],
                    "output": json.dumps({"open": True}),
                }
                await client.send("conversation.item.create", item=output)
                await client.send("response.create")
            case "error":
                await client.send("response.create")
            case "input_audio_buffer.speech_started":
                await client.send("response.cancel")


@asynccontextmanager
async def _bridged(client: Client) -> AsyncIterator[None]:
    """Runs the naive bridge on a client."""
    bridge = asyncio.create_task(_naive_bridge(client))
    yield
    bridge.cancel()
    await asyncio.wait({bridge})


async def test_a_naive_bridge_with_a_required_tool_never_speaks() -> None:
    """Each of fifty responses is a tool call: the caller hears nothing, and the loop would not end."""
    async with SimulatedModel(brain=FrontDesk(), recogniser=Dictated()) as model:
        async with talking(model, tools=[HOURS], tool_choice="required") as client:
            async with _bridged(client):
                await model.sessions[0].wait_sent("response.done", RESPONSES)
        sent = [record.event for record in model.sessions[0].sent]
        outputs = [event["response"]["output"] for event in sent if event["type"] == "response.done"]
        assert len(outputs) >= RESPONSES
        assert {item["type"] for output in outputs for item in output} == {"function_call"}
        assert not [event for event in sent if event["type"] == "response.output_audio.delta"]


async def test_the_same_bridge_speaks_when_no_tool_is_required() -> None:
    """With `auto` the second response is spoken, so the tool choice was the cause."""
    brain = Scripted(CallTool("opening_hours", {"day": "mon"}), Say("We are open.", ms=400))
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model, talking(model, tools=[HOURS]) as client:
        async with _bridged(client):
            await model.sessions[0].wait_sent("response.output_audio.done")
        assert client.audio()


async def test_one_lost_cancel_starts_a_storm_of_refused_requests() -> None:
    """The server cancels first: the late cancel is an error, to which the bridge sends a request, and so on."""
    brain = Scripted(otherwise=[Say("A long answer that goes on and on.", ms=60_000)])
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model, talking(model) as client:
        session = model.sessions[0]
        async with _bridged(client):
            await session.wait_sent("response.output_audio.delta")
            await client.speak(tone(400))
            await session.wait_sent("error")
            await client.speak(tone(400) + silence(700))
            await session.wait_sent("error", REFUSALS)
        codes = [refusal.error["code"] for refusal in model.refusals]
        assert codes[0] == "response_cancel_not_active"
        assert set(codes[1:]) == {"conversation_already_has_active_response"}
        assert len([record for record in session.sent if record.event["type"] == "response.created"]) == 2
