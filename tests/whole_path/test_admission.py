"""No stream causes model costs before its call's token is verified."""

import asyncio
import http
import json
import time
from collections.abc import Mapping
from uuid import uuid4

import pytest
from itsdangerous import TimestampSigner
from pydantic import SecretStr
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from shared.calls import stream_token
from tests.whole_path.conftest import PATIENCE_S, System

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _token(system: System, call_sid: str) -> str:
    return stream_token.sign(SecretStr(system.surroundings.stack.signing_key), call_sid)


def _start(call_sid: str, parameters: Mapping[str, str]) -> str:
    stream_sid = f"MZ{uuid4().hex}"
    start = {
        "streamSid": stream_sid,
        "accountSid": "AC" + "0" * 32,
        "callSid": call_sid,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": dict(parameters),
    }
    return json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": stream_sid, "start": start})


async def _open_stream(system: System, call_sid: str, token: str | None) -> ClientConnection:
    """Opens a stream like Twilio, with this token, and sends its start."""
    stream = await connect(f"ws://127.0.0.1:{system.surroundings.stack.worker.port}/media-stream", proxy=None)
    await stream.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
    await stream.send(_start(call_sid, {"caller": "+15551234567"} | ({"token": token} if token is not None else {})))
    return stream


async def _refused(system: System, stream: ClientConnection) -> bool:
    """Whether the worker closes the stream with a policy violation, without a model session."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ConnectionClosed):
            await stream.recv()
    return stream.close_code == 1008 and not system.surroundings.model.sessions


@pytest.mark.parametrize("token", [None, "", "nonsense", "W10.aSIgvA.x-tUxY3fdlL4nH8cdzb0lr3GNn8"])
async def test_a_stream_without_our_token_is_refused(system: System, token: str | None) -> None:
    """No token, an empty one, an invalid one, and one signed with another key."""
    assert await _refused(system, await _open_stream(system, "CA" + "1" * 32, token))


async def test_a_token_that_is_too_old_is_refused(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token expires two minutes after the webhook."""
    old = int(time.time()) - stream_token.LIFE_S - 1
    call_sid = f"CA{uuid4().hex}"
    with monkeypatch.context() as earlier:
        earlier.setattr(TimestampSigner, "get_timestamp", lambda _self: old)
        token = _token(system, call_sid)
    assert await _refused(system, await _open_stream(system, call_sid, token))


async def test_a_token_of_another_call_is_refused(system: System) -> None:
    """A token admits only the stream of its own call."""
    assert await _refused(system, await _open_stream(system, f"CA{uuid4().hex}", _token(system, f"CA{uuid4().hex}")))


async def test_a_token_works_once(system: System) -> None:
    """A replay of Twilio's messages is refused, while the call itself goes on."""
    call_sid = f"CA{uuid4().hex}"
    token = _token(system, call_sid)
    async with await _open_stream(system, call_sid, token) as first:
        async with asyncio.timeout(PATIENCE_S):
            session = await system.surroundings.model.session()
            await session.wait_sent("response.done")
        system.surroundings.model.sessions.clear()
        assert await _refused(system, await _open_stream(system, call_sid, token))
        await first.ping()
        assert first.close_code is None


async def test_a_handshake_with_a_wrong_signature_is_refused_before_the_upgrade(system: System) -> None:
    """The answer is 403; the same handshake with the right signature is accepted."""
    stack = system.surroundings.stack
    url = f"ws://127.0.0.1:{stack.worker.port}/media-stream"
    for auth_token, let_in in (("wrong", False), (system.surroundings.twilio.exchange.auth_token, True)):
        signature = RequestValidator(auth_token).compute_signature(stack.stream_url, {})
        handshake = connect(url, additional_headers={"X-Twilio-Signature": signature}, proxy=None)
        if let_in:
            async with handshake:
                pass
        else:
            with pytest.raises(InvalidStatus) as refused:
                await handshake
            assert refused.value.response.status_code == http.HTTPStatus.FORBIDDEN
    assert not system.surroundings.model.sessions
