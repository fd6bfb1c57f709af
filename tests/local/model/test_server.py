"""The handshake, and which clients are accepted."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from local.audio.recogniser import Dictated
from local.model import Say, Scripted, SimulatedModel
from local.model.faults import RefuseHandshake, SlowHandshake
from tests.local.model.client import KEY, Client, connected, socket_url, talking


def _model() -> SimulatedModel:
    return SimulatedModel(brain=Scripted(), recogniser=Dictated())


async def _status(url: str, headers: dict[str, str]) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers=headers, proxy=None):
            pass
    return refused.value.response.status_code


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic YTpi"}])
async def test_without_a_key_nobody_is_let_in(headers: dict[str, str]) -> None:
    """401, before the upgrade."""
    async with _model() as model:
        assert await _status(socket_url(model), headers) == 401
        assert not model.sessions


async def test_a_session_needs_its_path_and_a_model() -> None:
    """404 and 400."""
    async with _model() as model:
        assert await _status(socket_url(model).replace("/realtime", "/live"), KEY) == 404
        assert await _status(socket_url(model).partition("?")[0], KEY) == 400


async def test_the_beta_header_is_turned_away() -> None:
    """The socket opens, an error gives the reason, and it closes with 4000; there is no session."""
    async with _model() as model:
        headers = KEY | {"OpenAI-Beta": "realtime=v1"}
        async with connect(socket_url(model), additional_headers=headers, proxy=None) as socket:
            client = Client(socket)
            assert (await client.receive())["error"]["code"] == "beta_api_shape_disabled"
            with pytest.raises(ConnectionClosedError) as closed:
                await client.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4000
        assert not model.sessions


@pytest.mark.parametrize("name", ["gpt-4o-realtime-preview", "gpt-live-1", "nonsense"])
async def test_a_model_that_is_gone_is_turned_away(name: str) -> None:
    """Retired models, and those of other APIs."""
    async with _model() as model, connect(socket_url(model, name), additional_headers=KEY, proxy=None) as socket:
        assert (await Client(socket).receive())["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_it_can_be_told_to_refuse(status: int) -> None:
    """Once; the next attempt is accepted."""
    async with _model() as model:
        model.faults.add(RefuseHandshake(status))
        assert await _status(socket_url(model), KEY) == status
        async with connected(model):
            pass


async def test_it_can_be_told_never_to_answer() -> None:
    """The handshake hangs until the client gives up; the server can still be closed."""
    async with _model() as model:
        model.faults.add(SlowHandshake(for_ever=True))
        with pytest.raises(TimeoutError):
            async with connect(socket_url(model), additional_headers=KEY, proxy=None, open_timeout=0.2):
                pass


async def test_it_can_be_told_to_be_slow() -> None:
    """The handshake is answered in the end."""
    async with _model() as model:
        model.faults.add(SlowHandshake(seconds=0.1))
        async with connected(model):
            pass


async def test_each_session_may_have_a_brain_of_its_own() -> None:
    """A callable makes one for each, so that calls at the same time do not share a script."""
    model = SimulatedModel(brain=lambda: Scripted(Say("First.", ms=100)), recogniser=Dictated())
    async with model, talking(model) as one, talking(model) as two:
        for client in (one, two):
            assert (await client.respond())["output"][0]["content"][0]["transcript"] == "First."
        assert len({session.id for session in model.sessions}) == 2


async def test_the_safety_identifier_can_be_seen() -> None:
    """The session records the client's header."""
    async with _model() as model:
        headers = KEY | {"OpenAI-Safety-Identifier": "abc"}
        async with connect(socket_url(model), additional_headers=headers, proxy=None):
            session = await model.session()
            assert session.headers["OpenAI-Safety-Identifier"] == "abc"


async def test_closing_the_model_closes_its_sessions() -> None:
    """With 1001 (going away); an active response does not delay it."""
    async with _model() as model:
        client = await connect(socket_url(model), additional_headers=KEY, proxy=None)
        await client.send('{"type": "response.create"}')
        await (await model.session()).wait_sent("response.created")
    async with asyncio.timeout(10):
        await client.wait_closed()
    assert client.close_code == 1001
