"""The floor closes one end of a call when the other has gone or never came, so that no idle socket is measured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.contenders.floor import PhoneEnd
from bench.rig import calls
from bench.rig.gauges import Gauges
from bench.rig.model import Distance, Model, Script
from bench.rig.phone import Line, Phone
from local.stack.process import HOST, free_port


@asynccontextmanager
async def _call(distance: Distance | None = None, *, model_listens: bool = True) -> AsyncIterator[tuple[Phone, Model]]:
    """A phone with a stream through a floor, and the floor's model."""
    loop, model, model_port = asyncio.get_running_loop(), Model(Script(), Gauges(), distance), free_port()
    floor = await loop.create_server(lambda: PhoneEnd(f"http://{HOST}:{model_port}/v1", None), HOST, 0)
    servers = [floor, await model.serve(HOST, model_port)] if model_listens else [floor]
    port = floor.sockets[0].getsockname()[1]
    phone = Phone(1, Line(port, lambda _sid: "", ""), Gauges(), lambda _serial: None)
    try:
        await loop.create_connection(lambda: phone, HOST, port)
        await asyncio.wait_for(phone.opened, 10)
        phone.start()
        yield phone, model
    finally:
        for server in servers:
            server.close()
        for end in (phone, *model.sessions):
            end.abort()
        await asyncio.sleep(0)


async def test_a_call_goes_through() -> None:
    """The phone hears the agent, and a hang-up closes the model's end."""
    async with _call() as (phone, model):
        await asyncio.wait_for(phone.heard_agent, 10)
        await asyncio.wait_for(calls.end([phone]), 10)
        await asyncio.wait_for(model.sessions[0].closed, 10)


async def test_a_model_that_cannot_be_reached_ends_the_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise the rig would wait for audio until its timeout, without a reason."""
    async with _call(model_listens=False) as (phone, _model):
        await asyncio.wait_for(phone.closed, 10)
    assert "cannot reach the model" in capsys.readouterr().err


async def test_a_model_that_goes_ends_the_stream() -> None:
    """Its caller would wait in silence otherwise."""
    async with _call() as (phone, model):
        await asyncio.wait_for(phone.heard_agent, 10)
        model.sessions[0].abort()
        await asyncio.wait_for(phone.closed, 10)


async def test_a_session_that_opens_after_the_caller_has_gone_does_not_stay() -> None:
    """The caller hangs up during the model's slow handshake."""
    async with _call(Distance(handshake_s=0.3)) as (phone, model):
        async with asyncio.timeout(10):
            while not model.sessions:
                await asyncio.sleep(0.01)
        phone.abort()
        await asyncio.wait_for(model.sessions[0].closed, 10)
