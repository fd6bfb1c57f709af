"""The connection to the model."""

import pytest
from pydantic import SecretStr

from local.audio.recogniser import Dictated
from local.model import Scripted, SimulatedModel
from local.model.faults import RefuseHandshake
from worker.engines.realtime.connection import ModelUnreachable, open_session, realtime_url

KEY = SecretStr("sk-test")


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
        ("http://127.0.0.1:8000/v1", "ws://127.0.0.1:8000/v1/realtime?model=gpt-realtime-2.1"),
    ],
)
def test_url(base_url: str, url: str) -> None:
    """The SDK's base URL becomes the socket's."""
    assert realtime_url(base_url, "gpt-realtime-2.1") == url


async def test_no_beta_header() -> None:
    """The beta header would close the session (4000); only the key and the safety identifier are sent."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model:
        socket = await open_session(model.url, KEY, "gpt-realtime-2.1", "who")
        session = await model.session()
        await session.wait_sent("session.created")
        assert "OpenAI-Beta" not in session.headers
        assert session.headers["Authorization"] == "Bearer sk-test"
        assert session.headers["OpenAI-Safety-Identifier"] == "who"
        assert "Sec-WebSocket-Extensions" not in session.headers
        socket.close()
        await socket.wait_closed()


@pytest.mark.parametrize(("status", "final"), [(401, True), (403, True), (429, False), (503, False)])
async def test_refused(status: int, final: bool) -> None:
    """`final` says whether a retry would fail as well. The message has the status, not the key."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model:
        model.faults.add(RefuseHandshake(status))
        with pytest.raises(ModelUnreachable, match=f"HTTP {status}") as failure:
            await open_session(model.url, KEY, "gpt-realtime-2.1", "who")
        assert "sk-test" not in str(failure.value)
        assert failure.value.final is final


async def test_connection_refused() -> None:
    """The message names the error of the connection."""
    with pytest.raises(ModelUnreachable, match="ConnectionRefusedError"):
        await open_session("http://127.0.0.1:9/v1", KEY, "gpt-realtime-2.1", "who")
