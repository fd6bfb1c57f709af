"""A call on real sockets goes on after the loss of its model session or its worker."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from local.model import Hold, Say
from local.model.faults import RefuseHandshake
from shared.calls.ending import CallEnd
from shared.calls.store import StoreUnavailable
from shared.calls.transcript import TranscriptEntry
from tests.worker.conftest import CALL_SID, RigFactory
from tests.worker.greeted import GREETING, greeted, played_ms


@pytest.mark.parametrize("how", [1000, 1001, 1011, "reset", "expired"])
async def test_model_lost(rig: RigFactory, how: int | str) -> None:
    """A model session that ends during a call in any way is replaced by one that knows the conversation."""
    script = (GREETING, Say("At noon.", ms=300), Say("As I said.", ms=300))
    async with rig(*script, words=("when", "again")) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        await phone.wait(lambda: played_ms(phone.of("media")) == 700)
        await phone.hear_all()
        first = await running.model.session()
        await first.wait_sent("response.done", 2)
        await {"reset": first.reset, "expired": first.expire}.get(str(how), lambda: first.close(int(how)))()
        second = await running.model.session(2)
        await second.wait_sent("conversation.item.done", 3)
        said = [event.event["item"] for event in second.received if event.event["type"] == "conversation.item.create"]
        assert [item["content"][0]["text"] for item in said] == ["Hello!", "when", "At noon."]
        await phone.speak()
        await phone.wait(lambda: played_ms(phone.of("media")) == 1000)
        assert not phone.closed


async def test_session_is_renewed(rig: RigFactory) -> None:
    """Before a session's time limit it is replaced, while nobody speaks, by one that knows the conversation."""
    lives = {"session_s": 121.0}  # a session is replaced two minutes before its end
    script = (GREETING, Say("At noon.", ms=300), Say("As I said.", ms=300))
    async with rig(*script, words=("when", "again"), model=lives) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        await phone.wait(lambda: played_ms(phone.of("media")) == 700)
        await phone.hear_all()
        first, second = await running.model.session(), await running.model.session(2)
        await second.wait_sent("conversation.item.done", 3)
        await first.wait_closed()
        assert first.close_code == 1000
        await phone.speak()
        await phone.wait(lambda: played_ms(phone.of("media")) == 1000)
        assert not [event for event in second.received if event.event["type"] == "response.create"]


async def test_model_lost_in_the_middle_of_a_sentence(rig: RigFactory) -> None:
    """The new session is asked to continue where the old one was interrupted."""
    hold = Hold()
    script = (GREETING, Say("One two three.", ms=900, hold=hold, hold_at_ms=600), Say("Four.", ms=300))
    async with rig(*script, words=("count",)) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        await hold.reached.wait()
        await (await running.model.session()).reset()
        second = await running.model.session(2)
        request = await second.wait_received("response.create")
        assert "Your last words were" in request["response"]["instructions"]
        await phone.wait(lambda: played_ms(phone.of("media")) == 400 + 600 + 300)
        hold.release()


async def test_model_does_not_come_back(rig: RigFactory) -> None:
    """After three attempts the call fails, so that the caller hears an apology and not silence."""
    async with rig(GREETING) as running, running.phone() as phone:
        await greeted(phone)
        for _ in range(3):
            running.model.faults.add(RefuseHandshake(503))
        await (await running.model.session()).reset()
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED


async def test_model_closed_for_good(rig: RigFactory) -> None:
    """After close code 4000 no other session is opened."""
    async with rig(GREETING) as running, running.phone() as phone:
        await greeted(phone)
        await (await running.model.session()).close(4000)
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED
        assert len(running.model.sessions) == 1


async def test_taken_up_by_another_worker(rig: RigFactory) -> None:
    """The transcript is stored entry by entry; the worker that resumes the call knows it, and apologises."""
    script = (GREETING, Say("At noon.", ms=300), Say("Sorry. As I said, at noon.", ms=500), Say("Yes.", ms=200))
    async with rig(*script, words=("when", "sure")) as running:
        async with running.phone() as phone:
            await greeted(phone)
            await phone.speak()
            await phone.wait(lambda: played_ms(phone.of("media")) == 700)
            await (await running.model.session()).wait_sent("response.done", 2)
            async with asyncio.timeout(10):
                while len(running.store.turns(CALL_SID)) < 3:
                    await asyncio.sleep(0.02)
            await phone.hear_all()
            await (await phone.stream.ping())
            phone.stream.transport.abort()
        async with running.phone() as phone:
            await phone.start(resumed="lost")
            await phone.wait(lambda: played_ms(phone.of("media")) == 500)
            second = await running.model.session(2)
            request = await second.wait_received("response.create")
            assert "Apologise" in request["response"]["instructions"]
            said = [e.event["item"] for e in second.received if e.event["type"] == "conversation.item.create"]
            assert [item["content"][0]["text"] for item in said] == ["Hello!", "when", "At noon."]
            await phone.hear_all()
            await phone.speak()
            await phone.wait(lambda: played_ms(phone.of("media")) == 700)
            await second.wait_sent("response.done", 2)
            async with asyncio.timeout(10):
                while len(running.store.turns(CALL_SID)) < 6:
                    await asyncio.sleep(0.02)
            texts = [turn.text for turn in running.store.turns(CALL_SID).values()]
            assert texts == ["Hello!", "when", "At noon.", "Sorry. As I said, at noon.", "sure", "Yes."]


async def test_transcript_entries_that_were_not_stored_at_first(
    rig: RigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transcript entries that could not be stored at first are stored at the end of the call, at the latest."""
    async with rig(GREETING) as running, running.phone() as phone:
        keep_turns = running.store.keep_turns
        tries = 0

        def away_at_first(*args: Any, **more: Any) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise StoreUnavailable("away")
            keep_turns(*args, **more)

        monkeypatch.setattr(running.store, "keep_turns", away_at_first)
        await greeted(phone)
        async with asyncio.timeout(10):
            while not tries:
                await asyncio.sleep(0.02)
        await phone.send("stop", stop={"callSid": CALL_SID})
        await phone.wait_closed()
        assert [turn.text for turn in running.store.turns(CALL_SID).values()] == ["Hello!"]


async def test_late_transcript_entries(rig: RigFactory) -> None:
    """Late entries of the old worker do not overwrite those of the next worker; no caller notices."""
    async with rig(GREETING) as running, running.phone() as phone:
        at = datetime.now(UTC)
        running.store.keep_turns({(CALL_SID, 0, 1): TranscriptEntry(role="agent", text="As I said.", at=at)})
        await greeted(phone)
        await phone.send("stop", stop={"callSid": CALL_SID})
        await phone.wait_closed()
        assert [turn.text for turn in running.store.turns(CALL_SID).values()] == ["As I said."]
        assert running.store.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP


@pytest.mark.parametrize("resumptions", [0, 1])
async def test_an_end_that_comes_late(rig: RigFactory, resumptions: int) -> None:
    """A worker that notices late that it has lost its call does not overwrite the next worker's record of the end."""
    async with rig(GREETING) as running, running.phone() as phone:
        if resumptions:
            running.store.try_resume(CALL_SID, 3)
        await greeted(phone, resumptions=str(resumptions))
        if not resumptions:
            running.store.try_resume(CALL_SID, 3)
        await phone.send("stop", stop={"callSid": CALL_SID})
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is (CallEnd.CALLER_HUNG_UP if resumptions else None)
