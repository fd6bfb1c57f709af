"""A call's sockets to the model, those that nobody has taken among them."""

import asyncio

import pytest

from local.model import SimulatedModel
from tests.worker.conftest import worker_settings
from tests.worker.dialogue import agent
from worker.conversation.effects import SessionReady, SpareOpened
from worker.engines.realtime.events import SessionCreated
from worker.engines.realtime.session_pool import Reservation, open_pooled
from worker.engines.realtime.socket import ModelSocket
from worker.tools import CallContext
from worker.websocket.client import ClientSocket


async def test_a_spare_that_came_too_late() -> None:
    """A spare socket that was still being opened when it was needed is closed when the next one is there."""
    fed: list[object] = []
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        line = ModelSocket(settings, agent(), CallContext("CA1", "+15550000001", "+15550000002", "en"), fed.append)
        await line.open_spare()
        await line.open_spare()
        first, second = await model.session(), await model.session(2)
        await first.wait_closed()
        assert second.close_code is None
        await line.close()
        await second.wait_closed()
    assert fed == [SpareOpened(), SpareOpened()]


async def test_a_spare_that_comes_while_a_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays the spare one, and is what is taken next."""
    fed: list[object] = []
    spare_is_there = asyncio.Event()
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        line = ModelSocket(settings, agent(), CallContext("CA1", "+15550000001", "+15550000002", "en"), fed.append)
        opening = line._open

        async def open_late() -> ClientSocket:
            await spare_is_there.wait()
            return await opening()

        with monkeypatch.context() as late:
            late.setattr(line, "_open", open_late)
            holding = asyncio.create_task(line.connect())
            await asyncio.sleep(0)
        await line.open_spare()
        spare_is_there.set()
        await holding
        await line.connect()
        assert len(model.sessions) == 2
        await line.close()
        await (await model.session(1)).wait_closed()


async def test_a_session_that_stands_ready() -> None:
    """Holding it waits for nothing: the call has its session before the event loop has had a turn."""
    fed: list[object] = []
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        reserved = asyncio.get_running_loop().create_future()
        reserved.set_result(ready := await open_pooled(settings, agent()))
        info = CallContext("CA1", "+15550000001", "+15550000002", "en")
        line = ModelSocket(settings, agent(), info, fed.append, Reservation(reserved))
        with pytest.raises(StopIteration):
            line.connect().send(None)
        assert fed == [SessionReady(ready.session, ready.update)]
        line.send(b'{"type":"input_audio_buffer.clear"}')
        session = await model.session()
        await session.wait_received("input_audio_buffer.clear")
        await line.close()
        await session.wait_closed()


async def test_only_once() -> None:
    """When what had been reserved is lost, the next session is a new one."""
    fed: list[object] = []
    created = asyncio.Event()

    def feed(event: object) -> None:
        fed.append(event)
        if isinstance(event, SessionCreated):
            created.set()

    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        reserved = asyncio.ensure_future(open_pooled(settings, agent()))
        info = CallContext("CA1", "+15550000001", "+15550000002", "en")
        line = ModelSocket(settings, agent(), info, feed, Reservation(reserved))
        await line.connect()
        line.disconnect()
        await line.connect()
        async with asyncio.timeout(20):
            await created.wait()
        assert [type(event) for event in fed] == [SessionReady, SessionCreated]
        await line.close()
        assert len(model.sessions) == 2
