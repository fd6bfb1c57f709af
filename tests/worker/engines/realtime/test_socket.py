"""A call's sockets to the model: present, spare and pooled ones."""

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
    """A spare socket that opened too late to be used is closed when the next spare is open."""
    fed: list[object] = []
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        model_socket = ModelSocket(
            settings, agent(), CallContext("CA1", "+15550000001", "+15550000002", "en"), fed.append
        )
        await model_socket.open_spare()
        await model_socket.open_spare()
        first, second = await model.session(), await model.session(2)
        await first.wait_closed()
        assert second.close_code is None
        await model_socket.close()
        await second.wait_closed()
    assert fed == [SpareOpened(), SpareOpened()]


async def test_a_spare_that_comes_while_a_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays the spare socket, and the next `connect` uses it."""
    fed: list[object] = []
    spare_is_there = asyncio.Event()
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        model_socket = ModelSocket(
            settings, agent(), CallContext("CA1", "+15550000001", "+15550000002", "en"), fed.append
        )
        opening = model_socket._open

        async def open_late() -> ClientSocket:
            await spare_is_there.wait()
            return await opening()

        with monkeypatch.context() as late:
            late.setattr(model_socket, "_open", open_late)
            holding = asyncio.create_task(model_socket.connect())
            await asyncio.sleep(0)
        await model_socket.open_spare()
        spare_is_there.set()
        await holding
        await model_socket.connect()
        assert len(model.sessions) == 2
        await model_socket.close()
        await (await model.session(1)).wait_closed()


async def test_a_pooled_session() -> None:
    """The call has its session without waiting, before the next turn of the event loop."""
    fed: list[object] = []
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        reserved = asyncio.get_running_loop().create_future()
        reserved.set_result(pooled := await open_pooled(settings, agent()))
        context = CallContext("CA1", "+15550000001", "+15550000002", "en")
        model_socket = ModelSocket(settings, agent(), context, fed.append, Reservation(reserved))
        with pytest.raises(StopIteration):
            model_socket.connect().send(None)
        assert fed == [SessionReady(pooled.session, pooled.update)]
        model_socket.send(b'{"type":"input_audio_buffer.clear"}')
        session = await model.session()
        await session.wait_received("input_audio_buffer.clear")
        await model_socket.close()
        await session.wait_closed()


async def test_a_reservation_is_used_once() -> None:
    """After the reserved session is lost, `connect` opens a new one."""
    fed: list[object] = []
    created = asyncio.Event()

    def feed(event: object) -> None:
        fed.append(event)
        if isinstance(event, SessionCreated):
            created.set()

    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        reserved = asyncio.ensure_future(open_pooled(settings, agent()))
        context = CallContext("CA1", "+15550000001", "+15550000002", "en")
        model_socket = ModelSocket(settings, agent(), context, feed, Reservation(reserved))
        await model_socket.connect()
        model_socket.disconnect()
        await model_socket.connect()
        async with asyncio.timeout(20):
            await created.wait()
        assert [type(event) for event in fed] == [SessionReady, SessionCreated]
        await model_socket.close()
        assert len(model.sessions) == 2
