"""Strangers on the worker's port can do little, and cannot disturb calls."""

import asyncio
from contextlib import AsyncExitStack
from http import HTTPStatus

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from local.model import Say
from shared.calls.ending import CallEnd
from tests.worker.conftest import CALL_SID, RigFactory
from tests.worker.service.test_server import signed
from tests.worker.websocket.test_flood import FLOODS, flood
from worker.service import admission, load

UPGRADE = (
    b"GET /media-stream HTTP/1.1\r\nHost: worker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
SIGNATURE = b"X-Twilio-Signature: %b\r\n"


async def _request(port: int, head: bytes) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends a handshake; returns the answer's status and the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"\r\n")
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n\r\n")
    return answer.split(b" ")[1], reader, writer


async def _gone(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(10):
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            return


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood(rig: RigFactory, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that floods without a token is aborted at once; a call at the same time goes on."""
    monkeypatch.setattr(admission, "_UNSIGNED_START_WITHIN_S", 60)  # so that the time limit does not end it
    async with rig(otherwise=[Say("Hello.", ms=200)]) as running, running.phone(**signed()) as phone:
        await (await phone.start()).wait_for("media")
        status, reader, writer = await _request(running.port, UPGRADE)
        assert status == b"101"
        writer.write(flood(kind, 40_000))
        await _gone(reader)
        writer.close()
        assert (await _request(running.port, b"GET /health HTTP/1.1\r\n"))[0] == b"200"
        await phone.speak()
        await phone.wait_for("media", 2)
        assert not phone.closed


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_on_an_admitted_stream(rig: RigFactory, kind: str) -> None:
    """Frames of every kind count as a flood. It ends its own call and no other."""
    async with rig(otherwise=[Say("Hello.", ms=200)]) as running, running.phone() as phone, running.phone() as other:
        await (await phone.start()).wait_for("media")
        await (await other.start(call_sid="CA" + "2" * 32)).wait_for("media")
        phone.stream.transport.write(flood(kind, 40_000))
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED
        assert not other.closed


async def test_many_unsigned_handshakes(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsigned handshakes have a small quota of their own, and use no capacity for Twilio's calls."""
    monkeypatch.setattr(admission, "_UNSIGNED_START_WITHIN_S", 60)
    async with rig(settings={"max_calls": 10}) as running, AsyncExitStack() as strangers:
        refused = []
        for _ in range(60):
            try:
                await strangers.enter_async_context(connect(running.url))
            except InvalidStatus as refusal:
                refused.append(refusal.response.status_code)
        assert set(refused) == {HTTPStatus.SERVICE_UNAVAILABLE}
        assert len(refused) == 60 - load._UNSIGNED_AT_ONCE
        assert running.worker._load.calls == 0
        async with running.phone(**signed()) as phone:
            await (await phone.start()).wait_for("media")
            assert running.worker._load.calls == 1


async def test_an_unsigned_handshake_waits_for_less_long(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a signature the time limit for the token is shorter."""
    monkeypatch.setattr(admission, "_UNSIGNED_START_WITHIN_S", 0.1)
    async with rig() as running, running.phone(**signed()) as twilio, running.phone() as stranger:
        assert await stranger.wait_closed() == 1008
        assert await (await twilio.start()).wait_for("media")


async def test_the_last_place_is_for_a_signed_stream(rig: RigFactory) -> None:
    """An unsigned stream counts as a call only after its token is valid, and may then find the worker full."""
    async with rig(settings={"max_calls": 1}) as running, running.phone() as late:
        async with running.phone(**signed()) as first:
            await (await first.start()).wait_for("media")
            await late.start(call_sid="CA" + "2" * 32)
            assert await late.wait_closed() == 1008
            assert not first.closed


@pytest.mark.parametrize(
    "head",
    [
        b"GET //[ HTTP/1.1\r\n" + UPGRADE.partition(b"\r\n")[2],
        b"GET http://[x/media-stream HTTP/1.1\r\n",
        UPGRADE + SIGNATURE % b"one" + SIGNATURE % b"two",
        UPGRADE + SIGNATURE % b"\xff",
        UPGRADE + b"no header\r\n",
    ],
)
async def test_a_handshake_that_cannot_be_read(rig: RigFactory, head: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It gets an error status; the log has one line about it, without a trace."""
    async with rig() as running:
        caplog.clear()
        assert (await _request(running.port, head))[0] == b"400"
        (line,) = [record for record in caplog.records if record.levelname == "WARNING"]
        assert line.getMessage().startswith("handshake refused")
        assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    ("start", "parameters"),
    [
        ({"mediaFormat": {"encoding": "x" * 10_000, "sampleRate": 8000, "channels": 1}}, {}),
        ({"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": int("9" * 4_000), "channels": 1}}, {}),
        ({"callSid": ["x" * 10_000]}, {}),
        ({}, {"token": "x" * 10_000}),
        ({}, {"resumptions": "9" * 5_000}),
        ({}, {"caller": "\n" * 10_000}),
    ],
)
async def test_what_a_stranger_sends_is_not_logged(
    rig: RigFactory, start: dict[str, object], parameters: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger can cause only a few fixed log lines."""
    async with rig() as running, running.phone() as phone:
        body = {"callSid": CALL_SID, "customParameters": parameters, **start}
        await phone.send("start", start=body)
        await phone.wait_closed()
    (reason,) = [record.__dict__["reason"] for record in caplog.records if record.levelname == "WARNING"]
    assert len(reason) <= 200
    assert not [record for record in caplog.records if record.exc_info]
