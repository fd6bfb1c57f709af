"""A session refuses invalid events with a reason, and goes on."""

import pytest

from local.audio.recogniser import Dictated
from local.model import CallTool, Say, Scripted, SimulatedModel
from local.model.wire import SessionEnded
from tests.local.model.client import HOURS, connected, talking


def _model(*responses: Say | CallTool) -> SimulatedModel:
    return SimulatedModel(brain=Scripted(*responses), recogniser=Dictated(), pace=100)


async def test_the_first_event_tells_the_session_and_its_end() -> None:
    """Its id, its expiry after an hour, its defaults: PCM both ways and server VAD."""
    async with _model() as model, connected(model) as client:
        session = client.events[0]["session"]
        assert session["id"] == model.sessions[0].id
        assert session["expires_at"] > 0
        assert session["model"] == "gpt-realtime-2.1"
        assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
        assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


async def test_one_wrong_key_voids_the_whole_update() -> None:
    """The formats in the same update are not applied either: the session stays on PCM."""
    async with _model() as model, connected(model) as client:
        wrong = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}, "temperature": 0.8}
        error = await client.ask("session.update", event_id="first", session=wrong)
        assert error == {
            "type": "invalid_request_error",
            "code": "unknown_parameter",
            "message": "Unknown parameter: 'session.temperature'.",
            "param": "session.temperature",
            "event_id": "first",
        }
        assert model.sessions[0].configuration.audio_input["format"]["type"] == "audio/pcm"
        assert not client.of_type("session.updated")


async def test_a_voice_is_refused_once_audio_was_heard() -> None:
    """Before that, it is accepted."""
    async with _model(Say("Hello.", ms=100)) as model, talking(model) as client:
        await client.configure(audio={"output": {"voice": "marin"}})
        await client.respond()
        session = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
        assert (await client.ask("session.update", session=session))["code"] == "cannot_update_voice"


async def test_frames_that_are_no_events_are_refused_and_harmless() -> None:
    """Invalid JSON, no object, a binary frame; the session goes on."""
    async with _model(Say("Still here.", ms=100)) as model, talking(model) as client:
        for frame in ("{", "[]", b"{}", "{}"):
            await client.socket.send(frame)
            await client.until("error")
        codes = [event["error"]["code"] for event in client.of_type("error")]
        assert codes == ["invalid_json", "invalid_event", "invalid_event", "missing_required_parameter"]
        assert (await client.respond())["status"] == "completed"
        assert await model.sessions[0].wait_received("response.create")


async def test_an_event_of_the_other_transports_is_refused() -> None:
    """`output_audio_buffer.clear` is for WebRTC and SIP: over a WebSocket the client plays and clears audio itself."""
    async with _model() as model, talking(model) as client:
        assert (await client.ask("output_audio_buffer.clear"))["param"] == "type"


async def test_a_tools_output_goes_round() -> None:
    """It is accepted once for an existing call, and refused for any other."""
    async with _model(CallTool("opening_hours", {"day": "mon"}, "call_1"), Say("Nine.", ms=100)) as model:
        async with talking(model, tools=[HOURS]) as client:
            output = {"type": "function_call_output", "call_id": "call_1", "output": "nine"}
            error = await client.ask("conversation.item.create", item=output)
            assert (error["code"], error["param"]) == ("invalid_tool_call_id", "item.call_id")
            await client.respond()
            await client.send("conversation.item.create", item=output)
            added = await client.until("conversation.item.done")
            assert added["item"]["output"] == "nine"
            assert (await client.ask("conversation.item.create", item=output))["code"] == "invalid_value"
            assert (await client.respond())["output"][0]["content"][0]["transcript"] == "Nine."


async def test_an_item_is_truncated_within_what_was_sent() -> None:
    """Up to the last millisecond of its audio; its transcript is then deleted."""
    async with _model(Say("Hello there.", ms=1000)) as model, talking(model) as client:
        item_id = (await client.respond())["output"][0]["id"]
        cut = {"item_id": item_id, "content_index": 0}
        error = await client.ask("conversation.item.truncate", **cut, audio_end_ms=1001)
        assert (error["code"], error["param"]) == ("invalid_value", "audio_end_ms")
        assert error["message"] == "Audio content of 1000ms is already shorter than 1001ms"
        await client.send("conversation.item.truncate", **cut, audio_end_ms=1000)
        truncated = await client.until("conversation.item.truncated")
        assert (truncated["item_id"], truncated["audio_end_ms"]) == (item_id, 1000)
        await client.send("conversation.item.retrieve", item_id=item_id)
        retrieved = await client.until("conversation.item.retrieved")
        assert retrieved["item"]["content"][0]["transcript"] is None


async def test_history_can_be_written_into_a_new_session() -> None:
    """As after a lost connection: the words of both as text, in order, with the client's own ids."""
    async with _model() as model, talking(model) as client:
        user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
        agent = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
        await client.send("conversation.item.create", item=agent | {"id": "item_2"})
        await client.send("conversation.item.create", item=user | {"id": "item_1"}, previous_item_id="root")
        await client.respond()
        assert [item.id for item in model.sessions[0].conversation.items][:2] == ["item_1", "item_2"]
        [first, second] = client.of_type("conversation.item.added")[:2]
        assert first["item"]["content"] == agent["content"]
        assert (second["item"]["content"], second["previous_item_id"]) == (user["content"], None)


async def test_a_test_can_see_and_await_all_that_happens() -> None:
    """Both directions in order, and the refusals; the end of the session ends a wait for an event."""
    async with _model(Say("Hello.", ms=100)) as model:
        async with talking(model) as client:
            await client.respond()
            await client.ask("response.cancel", event_id="mine")
        session = await model.session(1)
        assert [record.event["type"] for record in session.received] == [
            "session.update",
            "response.create",
            "response.cancel",
        ]
        assert [record.event for record in session.sent] == client.events
        assert [(refusal.event, refusal.error["code"]) for refusal in model.refusals] == [
            ({"type": "response.cancel", "event_id": "mine"}, "response_cancel_not_active")
        ]
        assert (await session.wait_received("response.create"))["type"] == "response.create"
        assert (await session.wait_sent("response.done"))["response"]["status"] == "completed"
        with pytest.raises(SessionEnded, match=r"1 of 2 expected events 'response\.done'"):
            await session.wait_sent("response.done", 2)
        assert session.close_code == 1000
