"""What is prepared before Twilio sends `start`, and what is done after it."""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from local.model import Say
from local.model.faults import SlowHandshake
from local.model.session import Session
from tests.worker.conftest import Phone, Rig, RigFactory
from tests.worker.greeted import GREETING
from tests.worker.service.test_server import signature
from worker.service import admission


def signed(running: Rig) -> AbstractAsyncContextManager[Phone]:
    return running.phone(**{"X-Twilio-Signature": signature("wss://worker.example/media-stream")})


def asked(session: Session) -> list[str]:
    """The types of the events sent to the model so far, without the caller's audio."""
    types = [event.event["type"] for event in session.received]
    return [type_ for type_ in types if type_ != "input_audio_buffer.append"]


@pytest.mark.parametrize("with_signature", [True, False])
async def test_a_session_stands_ready(rig: RigFactory, with_signature: bool) -> None:
    """After `start` the first event is the request for a response; the pool opens another session."""
    async with rig(GREETING, settings={"session_pool_size": 1}) as running:
        session = await running.model.session()
        await session.wait_sent("session.updated")
        async with signed(running) if with_signature else running.phone() as phone:
            await (await phone.start()).wait_for("media")
            assert asked(session) == ["session.update", "response.create"]
            another = await running.model.session(2)
            await another.wait_sent("session.updated")
            assert asked(another) == ["session.update"]


async def test_none_stands_yet(rig: RigFactory) -> None:
    """For a signed handshake a session is opened and configured before the stream sends anything."""
    async with rig(otherwise=[GREETING], settings={"session_pool_size": 1}) as running:
        await (await running.model.session()).wait_sent("session.updated")
        running.model.faults.add(SlowHandshake(for_ever=True))  # the session that replaces it never opens
        async with running.phone() as other:
            await (await other.start(call_sid="CA" + "2" * 32)).wait_for("media")
            async with signed(running) as phone:
                session = await running.model.session(2)
                await session.wait_sent("session.updated")
                assert not phone.received
                await (await phone.start()).wait_for("media")
                assert asked(session) == ["session.update", "response.create"]


async def test_unsigned(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unsigned handshake opens and takes no session before its token is verified."""
    monkeypatch.setattr(admission, "_START_WITHIN_S", 0.1)
    async with rig(settings={"session_pool_size": 1}) as running:
        await (await running.model.session()).wait_sent("session.updated")
        async with running.phone() as phone:
            await phone.send("connected")
            assert await phone.wait_closed() == 1008
        async with running.phone() as phone:
            await phone.start("no token")
            assert await phone.wait_closed() == 1008
        assert len(running.model.sessions) == 1
        assert running.model.sessions[0].close_code is None


async def test_a_signed_stream_without_start(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session reserved for a signed stream that never starts is closed unused at the time limit."""
    monkeypatch.setattr(admission, "_START_WITHIN_S", 0.1)
    async with rig(settings={"session_pool_size": 1}) as running:
        session = await running.model.session()
        await session.wait_sent("session.updated")
        async with signed(running) as phone:
            assert await phone.wait_closed() == 1008
        async with asyncio.timeout(20):
            await session.wait_closed()
        assert asked(session) == ["session.update"]


async def test_lost_as_it_is_taken(rig: RigFactory) -> None:
    """A pooled session that fails when taken is replaced, and the caller is greeted."""
    async with rig(otherwise=[Say("Hello.", ms=300)], settings={"session_pool_size": 1}) as running:
        session = await running.model.session()
        await session.wait_sent("session.updated")
        async with signed(running) as phone:
            await running.model.session(2)  # now it belongs to the stream
            await session.reset()
            await (await phone.start()).wait_for("media")


async def test_draining(rig: RigFactory) -> None:
    """A draining worker keeps no pooled sessions, even while its calls go on."""
    async with rig(GREETING, settings={"session_pool_size": 2, "drain_s": 60}) as running, signed(running) as phone:
        await (await phone.start()).wait_for("media")
        mine = next(session for session in running.model.sessions if "response.create" in asked(session))
        running.stop.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*(each.wait_closed() for each in running.model.sessions if each is not mine))
        assert mine.close_code is None
        await phone.send("stop", stop={"callSid": "CA"})
        await phone.wait_closed()
