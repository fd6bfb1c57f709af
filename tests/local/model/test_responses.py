"""One response at a time: who may start one, and who may end it."""

import pytest

from local.audio.recogniser import Dictated
from local.audio.speech import silence, tone
from local.model import CallTool, Hold, Say, Scripted, SimulatedModel
from tests.local.model.client import HOURS, MU_LAW, talking

LONG = Say("A long story.", ms=60_000)


def _vad(**settings: object) -> dict[str, object]:
    return {**MU_LAW, "input": {**MU_LAW["input"], "turn_detection": {"type": "server_vad", **settings}}}


async def test_a_second_response_is_refused_while_one_is_active() -> None:
    """The error names the active response and the client's event; the active response goes on."""
    hold = Hold()
    brain = Scripted([hold, Say("Done.", ms=200)])
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model, talking(model) as client:
        await client.send("response.create")
        error = await client.ask("response.create", event_id="mine")
        [created] = client.of_type("response.created")
        assert error["code"] == "conversation_already_has_active_response"
        assert created["response"]["id"] in error["message"]
        assert error["event_id"] == "mine"
        hold.release()
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert (await client.respond())["status"] == "completed"


async def test_a_cancel_of_nothing_is_refused_and_harmless() -> None:
    """The session goes on."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model, talking(model) as client:
        assert (await client.ask("response.cancel"))["code"] == "response_cancel_not_active"
        assert (await client.ask("response.cancel", response_id="resp_gone"))["code"] == "response_cancel_not_active"
        assert (await client.respond())["status"] == "completed"


async def test_a_cancel_may_name_the_response() -> None:
    """The active one ends; a cancel with another id is refused."""
    async with SimulatedModel(brain=Scripted(LONG), recogniser=Dictated()) as model, talking(model) as client:
        await client.send("response.create")
        active = (await client.until("response.created"))["response"]["id"]
        assert (await client.ask("response.cancel", response_id="resp_gone"))["code"] == "response_cancel_not_active"
        await client.send("response.cancel", response_id=active)
        done = (await client.until("response.done"))["response"]
        assert (done["id"], done["status"]) == (active, "cancelled")


async def test_the_callers_turn_interrupts_and_is_answered() -> None:
    """The response that speaks ends as turn_detected, after speech_started; a new one comes when the turn is over."""
    brain = Scripted(LONG, Say("Yes?", ms=200))
    async with SimulatedModel(brain=brain, recogniser=Dictated("stop")) as model, talking(model) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.speak()
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
        assert client.types.index("input_audio_buffer.speech_started") < client.types.index("response.done")
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert [turn.why for turn in brain.turns] == ["client", "vad"]
        assert brain.turns[1].heard == "stop"


async def test_without_interrupt_response_the_agent_talks_on() -> None:
    """The turn is committed, and its response refused, since one is active."""
    hold = Hold()
    async with SimulatedModel(brain=Scripted([hold]), recogniser=Dictated()) as model:
        async with talking(model, audio=_vad(interrupt_response=False)) as client:
            await client.send("response.create")
            await client.speak()
            error = (await client.until("error"))["error"]
            assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", None)
            assert not client.of_type("response.done")
            hold.release()
            assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_without_create_response_the_turn_is_only_committed() -> None:
    """It still interrupts, and the client has to ask for the answer."""
    brain = Scripted(LONG, Say("Yes?", ms=200))
    async with SimulatedModel(brain=brain, recogniser=Dictated("stop")) as model:
        async with talking(model, audio=_vad(create_response=False)) as client:
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.speak()
            assert (await client.until("response.done"))["response"]["status"] == "cancelled"
            await client.until("input_audio_buffer.committed")
            await client.respond()
            assert len(client.of_type("response.created")) == 2
            assert brain.turns[1].heard == "stop"


async def test_a_silent_caller_is_asked_after_the_idle_timeout() -> None:
    """The silence is committed as a turn of its own, and the model is asked to speak."""
    brain = Scripted(Say("Hello.", ms=100), Say("Are you there?", ms=100))
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model:
        async with talking(model, audio=_vad(idle_timeout_ms=5000)) as client:
            await client.respond()
            await client.speak(silence(5200))
            timeout = await client.until("input_audio_buffer.timeout_triggered")
            assert timeout["audio_end_ms"] - timeout["audio_start_ms"] == 5000
            committed = await client.until("input_audio_buffer.committed")
            assert committed["item_id"] == timeout["item_id"]
            await client.until("response.done")
            assert brain.turns[1].why == "idle"


async def test_a_caller_who_speaks_is_not_idle() -> None:
    """Speech cancels the timeout: only the answer follows."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model:
        async with talking(model, audio=_vad(idle_timeout_ms=5000)) as client:
            await client.respond()
            session = model.sessions[0]
            idle = session._responses._idle
            assert idle is not None
            await client.speak(tone(400))
            await client.until("input_audio_buffer.speech_started")
            assert idle.cancelling()


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "opening_hours"}])
async def test_a_sessions_tool_choice_holds_for_the_vads_responses_too(choice: str | dict[str, str]) -> None:
    """Each turn's response is a tool call, until the client changes the choice."""
    brain = Scripted(Say("At last.", ms=200))
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model:
        async with talking(model, tools=[HOURS], tool_choice=choice) as client:
            for _ in range(2):
                await client.speak()
                done = (await client.until("response.done"))["response"]
                assert [item["type"] for item in done["output"]] == ["function_call"]
            assert not client.audio()
            done = await client.respond(tool_choice="auto")
            assert done["output"][0]["content"][0]["transcript"] == "At last."


async def test_a_response_without_tools_of_its_own_speaks() -> None:
    """`none` for one response, whatever the session requires."""
    brain = Scripted([CallTool("opening_hours"), Say("Hello.", ms=200)])
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model:
        async with talking(model, tools=[HOURS], tool_choice="required") as client:
            done = await client.respond(tool_choice="none")
            assert [item["type"] for item in done["output"]] == ["message"]


async def test_a_brain_gets_a_responses_own_instructions() -> None:
    """Also if the client repeats the session's instructions before them."""
    brain = Scripted()
    async with SimulatedModel(brain=brain, recogniser=Dictated()) as model:
        async with talking(model, instructions="Be kind.") as client:
            await client.respond(instructions="Be kind.\n\nSay goodbye.")
            await client.respond()
            assert [turn.asked for turn in brain.turns] == ["Say goodbye.", ""]
            assert [turn.instructions for turn in brain.turns] == ["Be kind.\n\nSay goodbye.", "Be kind."]
