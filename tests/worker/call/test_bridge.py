"""One call on real sockets, against the simulated model."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import SecretStr

from local.audio.speech import silence
from local.model import CallTool, Hold, Say
from local.model.faults import FailSession, RefuseHandshake, RejectUpdate, SlowHandshake, WrongFormats
from shared.calls.ending import CallEnd
from shared.escalations.request import Escalation
from tests.worker.conftest import CALL_SID, RigFactory
from tests.worker.greeted import GREETING, greeted, played_ms
from worker.conversation.call import Call
from worker.engines.realtime.connection import safety_identifier
from worker.storage import Storage
from worker.tools import tool


async def test_a_conversation(rig: RigFactory) -> None:
    """Greeting, question, answer by a tool, and hang-up: every step arrives at the other side."""
    answer = [CallTool("opening_hours", {"day": "sunday"})], [Say("Always open.", ms=700)]
    async with rig(GREETING, *answer, words=("when are you open",)) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        session = await running.model.session()
        output = await session.wait_received("conversation.item.create")
        assert output["item"]["output"] == "sunday: always"
        await session.wait_sent("response.done", 3)
        await phone.wait(lambda: played_ms(phone.of("media")) == 400 + 700)
        await phone.send("stop", stop={"callSid": CALL_SID})
        await phone.wait_closed()
        await session.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP


async def test_the_session_asked_for(rig: RigFactory) -> None:
    """The session has all the agent's settings, and nothing that identifies the caller."""
    changes = {"voice": "cedar", "speed": 1.2, "noise_reduction": "near_field", "reasoning_effort": "low"}
    detection = {"type": "server_vad", "threshold": 0.7, "silence_duration_ms": 700}
    async with (
        rig(GREETING, agent_changes={**changes, "turn_detection": detection}) as running,
        running.phone() as phone,
    ):
        await (await phone.start()).wait_for("media")
        session = await running.model.session()
        asked = (await session.wait_received("session.update"))["session"]
        assert asked["audio"]["input"]["format"] == asked["audio"]["output"]["format"] == {"type": "audio/pcmu"}
        assert asked["audio"]["output"] | {"format": None} == {"format": None, "voice": "cedar", "speed": 1.2}
        assert asked["audio"]["input"]["turn_detection"]["threshold"] == 0.7
        assert asked["audio"]["input"]["noise_reduction"] == {"type": "near_field"}
        assert asked["reasoning"] == {"effort": "low"}
        assert {tool["name"] for tool in asked["tools"]} >= {"escalate_to_human", "end_call", "opening_hours"}
        identifier = session.headers["OpenAI-Safety-Identifier"]
        assert len(identifier) == 64
        assert "5550000001" not in json.dumps(session.headers)


def test_safety_identifier_is_keyed() -> None:
    """A plain hash of a phone number could be undone by hashing all numbers; ours needs the key."""
    one, other = SecretStr("one key"), SecretStr("another key")
    assert safety_identifier(one, "+15551234567") == safety_identifier(one, "+15551234567")
    assert safety_identifier(one, "+15551234567") != safety_identifier(other, "+15551234567")


async def test_required_speaks(rig: RigFactory) -> None:
    """With `tool_choice: required`, where a naive bridge loops endlessly, every turn of the caller is answered.

    `test_naive_bridge_loops` shows the loop on the same model.
    """
    async with rig(agent_changes={"tool_choice": "required"}, otherwise=[Say("Certainly.", ms=200)]) as running:
        async with running.phone() as phone:
            await phone.start()
            await phone.wait(lambda: played_ms(phone.of("media")) >= 200)
            session = await running.model.session()
            for turn in range(1, 4):
                await phone.speak()
                await phone.wait(lambda turn=turn: played_ms(phone.of("media")) >= 200 * (turn + 1))
                # The greeting, and for every turn a forced tool call and the words after it.
                await session.wait_sent("response.done", 1 + 2 * turn)
            kinds = [
                {item["type"] for item in event.event["response"]["output"]}
                for event in session.sent
                if event.event["type"] == "response.done"
            ]
            assert kinds == [{"message"}, *[{"function_call"}, {"message"}] * 3]


async def test_escalation(rig: RigFactory) -> None:
    """The message is in the queue before the model is told that a person was asked."""
    asked = {"reason": "lost key", "summary": "Locked out of room 12.", "urgency": "high"}
    script = [[CallTool("escalate_to_human", asked)], [Say("Somebody has been told.", ms=300)]]
    async with rig(GREETING, *script, words=("i want a person",)) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        session = await running.model.session()
        output = await session.wait_received("conversation.item.create")
        assert json.loads(output["item"]["output"])["status"] == "sent"
        (message,) = running.queue_messages()
        assert message["urgency"] == "high"
        assert message["caller"] == "+15550000001"
        assert ("caller", "i want a person") in [(turn["role"], turn["text"]) for turn in message["transcript"]]


async def test_callback_numbers(rig: RigFactory) -> None:
    """A number of an allowed country goes out as E.164, and an agent's own is left out, and the model is told."""
    ours, allowed = "+15557654321", "(00 44) 20 7946-0958"
    asked = [{"reason": "lost key", "summary": "Room 12.", "callback_number": number} for number in (ours, allowed)]
    changes = {"agent_changes": {"numbers": (ours,)}, "settings": {"callback_countries": "GB,US"}}
    script = [response for each in asked for response in ([CallTool("escalate_to_human", each)], [Say("Yes.", ms=300)])]
    async with rig(GREETING, *script, **changes) as running, running.phone() as phone:
        await greeted(phone)
        session = await running.model.session()
        notes, before = [], played_ms(phone.of("media"))
        for turn in (1, 2):
            await phone.speak()
            output = await session.wait_received("conversation.item.create", turn)
            notes.append(json.loads(output["item"]["output"])["note"])
            await phone.wait(lambda turn=turn: played_ms(phone.of("media")) == before + 300 * turn)
        assert ["it is one of our own numbers" in note for note in notes] == [True, False]
        assert [message["callback_number"] for message in running.queue_messages()] == [None, "+442079460958"]


async def test_queue_unreachable(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """If sending to the queue fails, the model is told that the request was not sent, and the call goes on."""
    script = [[CallTool("escalate_to_human", {"reason": "a", "summary": "b"})], [Say("I could not.", ms=300)]]
    async with rig(GREETING, *script) as running, running.phone() as phone:
        monkeypatch.setattr(running.worker._storage._queue, "_queue_url", "http://127.0.0.1:9/none")
        await greeted(phone)
        await phone.speak()
        session = await running.model.session()
        output = await session.wait_received("conversation.item.create")
        assert "NOT" in json.loads(output["item"]["output"])["error"]
        await phone.wait(lambda: played_ms(phone.of("media")) == 700)


async def test_hang_up_while_it_is_sent(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An escalation that is being sent when the caller hangs up still arrives."""
    sending, go_on, send = asyncio.Event(), asyncio.Event(), Storage.send

    async def send_late(storage: Storage, escalation: Escalation) -> None:
        sending.set()
        await go_on.wait()
        await send(storage, escalation)

    monkeypatch.setattr(Storage, "send", send_late)
    ask = CallTool("escalate_to_human", {"reason": "wants a person", "summary": "lost suitcase"})
    async with rig(GREETING, [ask]) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        async with asyncio.timeout(20):
            await sending.wait()
        await phone.send("stop", stop={"callSid": CALL_SID})
        await phone.wait_closed()
        assert not running.queue_messages()
        go_on.set()
    assert [message["reason"] for message in running.queue_messages()] == ["wants a person"]


async def test_a_fault_at_the_callers_audio(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault at an audio frame ends the call like one at any other message: recorded, and with an apology."""

    def fail(_call: Call, _payload: object) -> bool:
        raise ZeroDivisionError

    async with rig(GREETING) as running, running.phone() as phone:
        await greeted(phone)
        monkeypatch.setattr(Call, "hear", fail)
        await phone.say(silence(20))
        assert await phone.wait_closed() == 1000
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED


async def test_goodbye(rig: RigFactory) -> None:
    """The stream is closed only after the caller has heard the agent's farewell."""
    async with rig(GREETING, [CallTool("end_call")], Say("Goodbye!", ms=500)) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        await phone.wait(lambda: played_ms(phone.of("media")) == 900)
        session = await running.model.session()
        await session.wait_sent("response.done", 3)
        assert not phone.closed
        await phone.echo_marks()
        assert await phone.wait_closed() == 1000
        assert running.store.how_it_ended(CALL_SID) is CallEnd.AGENT_HUNG_UP


@pytest.mark.parametrize(
    "fault",
    [
        RefuseHandshake(401),
        FailSession("insufficient_quota"),
        RejectUpdate(),
        WrongFormats(),
    ],
    ids=["bad key", "no quota", "update rejected", "wrong formats"],
)
async def test_no_session(rig: RigFactory, fault: Any) -> None:
    """If the model opens no session, the call fails with a record, and the caller hears no noise."""
    async with rig(refusals=True) as running, running.phone() as phone:
        running.model.faults.add(fault)
        await phone.start()
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED
        assert not phone.of("media")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_busy_model(rig: RigFactory, status: int) -> None:
    """A handshake that fails temporarily is retried; the caller does not notice."""
    async with rig(GREETING) as running, running.phone() as phone:
        running.model.faults.add(RefuseHandshake(status))
        assert await (await phone.start()).wait_for("media")


async def test_audio_before_the_session(rig: RigFactory) -> None:
    """Speech during the connection to the model is kept, and answered instead of the greeting."""
    # The server answers the speech at once, so it may refuse our request for the greeting.
    rigged = rig(Say("Yes?", ms=200), words=("hello",), refusals=True)
    async with rigged as running, running.phone() as phone:
        running.model.faults.add(SlowHandshake(0.3))
        await phone.start()
        await phone.speak(400)
        session = await running.model.session()
        await session.wait_sent("input_audio_buffer.speech_started")
        await phone.wait(lambda: played_ms(phone.of("media")) >= 200)


async def test_hang_up_in_the_middle_of_a_tool(rig: RigFactory) -> None:
    """A tool that runs when the caller hangs up is cancelled, and everything is closed."""
    cancelled = asyncio.Event()

    @tool
    async def wait_for_ever() -> str:
        """Never returns."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    changes = {"tools": (wait_for_ever,)}
    async with rig(GREETING, [CallTool("wait_for_ever")], agent_changes=changes) as running:
        async with running.phone() as phone:
            await greeted(phone)
            await phone.speak()
            session = await running.model.session()
            await session.wait_sent("response.done", 2)
            await phone.send("stop", stop={"callSid": CALL_SID})
            await phone.wait_closed()
            assert cancelled.is_set()
            await session.wait_closed()
            assert running.store.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP


async def test_stream_lost(rig: RigFactory) -> None:
    """A stream that breaks without `stop` is no hang-up: the record says that the call may go on elsewhere."""
    async with rig(GREETING) as running, running.phone() as phone:
        await greeted(phone)
        session = await running.model.session()
        phone.stream.transport.abort()
        await session.wait_closed()
        async with asyncio.timeout(10):
            while running.store.how_it_ended(CALL_SID) is None:
                await asyncio.sleep(0.02)
        assert running.store.how_it_ended(CALL_SID) is CallEnd.MOVED


async def test_malformed_message_mid_call(rig: RigFactory) -> None:
    """A message that Twilio would not send ends this call and no other."""
    async with rig(otherwise=[GREETING]) as running, running.phone() as phone, running.phone() as other:
        await greeted(phone)
        await greeted(other, "CA" + "2" * 32)
        await phone.stream.send("{")
        await phone.wait_closed()
        await other.speak()
        await other.wait(lambda: played_ms(other.of("media")) == 800)


async def test_barge_in(rig: RigFactory) -> None:
    """On a barge-in, Twilio's queue is cleared, the item is truncated, and the caller is answered."""
    hold = Hold()
    long = Say("A very long answer.", ms=3000, hold=hold, hold_at_ms=900)
    async with rig(GREETING, long, Say("Yes?", ms=300), words=("question", "stop")) as running:
        async with running.phone() as phone:
            await greeted(phone)
            await phone.speak()
            await hold.reached.wait()
            await phone.speak()
            await phone.wait_for("clear")
            session = await running.model.session()
            cut = await session.wait_received("conversation.item.truncate")
            assert cut["audio_end_ms"] == 0
            hold.release()
            await session.wait_sent("response.done", 3)
            assert played_ms(phone.of("media")) == 400 + 900 + 300
