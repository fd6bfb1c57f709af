"""The worker's port: admission and draining."""

import asyncio
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import pytest
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from local.model import Say
from shared.calls import stream_token
from shared.calls.ending import CallEnd
from tests.worker.conftest import AUTH_TOKEN, CALL_SID, SIGNING_KEY, RigFactory
from worker.call import bridge
from worker.service import admission
from worker.twilio import watchdog


def signature(url: str) -> str:
    return str(RequestValidator(AUTH_TOKEN).compute_signature(url, {}))


def signed() -> dict[str, str]:
    """The headers of a handshake that Twilio has signed."""
    return {"X-Twilio-Signature": signature("wss://worker.example/media-stream")}


async def _get(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: worker\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def test_health(rig: RigFactory) -> None:
    """`/health` is 200 while the worker takes calls; other paths do not exist."""
    async with rig() as running:
        assert await _get(running.port, "/health") == HTTPStatus.OK
        assert await _get(running.port, "/elsewhere") == HTTPStatus.NOT_FOUND


async def test_draining(rig: RigFactory) -> None:
    """A draining worker says so, takes no new stream, and lets the running call end by itself."""
    async with rig(settings={"drain_s": 60}) as running, running.phone() as phone:
        await (await phone.start()).wait_for("media")
        running.stop.set()
        await asyncio.sleep(0)
        while await _get(running.port, "/health") == HTTPStatus.OK:
            await asyncio.sleep(0.01)
        with pytest.raises(InvalidStatus) as refusal:
            await connect(running.url)
        assert refusal.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert not phone.closed
        await phone.send("stop", stop={"callSid": CALL_SID})
        await phone.wait_closed()


async def test_draining_begins_while_a_stream_comes(rig: RigFactory) -> None:
    """A stream that connected before the drain is admitted and has the same time as other calls."""
    async with rig(settings={"drain_s": 60}) as running, running.phone() as phone:
        running.stop.set()
        while await _get(running.port, "/health") == HTTPStatus.OK:
            await asyncio.sleep(0.01)
        await (await phone.start()).wait_for("media")
        await phone.send("stop", stop={"callSid": CALL_SID})
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP


async def test_draining_ends_while_a_stream_comes(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose token is being claimed at the end of the drain is moved like other calls."""
    async with rig(settings={"drain_s": 0}) as running, running.phone() as phone:
        claim, claiming, go_on = running.store.claim_stream, threading.Event(), threading.Event()

        def late(*args: Any, **more: Any) -> None:
            claiming.set()
            go_on.wait(timeout=5)
            claim(*args, **more)

        monkeypatch.setattr(running.store, "claim_stream", late)
        await phone.start()
        await asyncio.to_thread(claiming.wait, 10)
        running.stop.set()
        while await _get(running.port, "/health") == HTTPStatus.OK:
            await asyncio.sleep(0.01)
        go_on.set()
        assert await phone.wait_closed() == 1000
        assert running.store.how_it_ended(CALL_SID) is CallEnd.MOVED


async def test_end_of_draining(rig: RigFactory) -> None:
    """A call that outlasts the drain is closed, and its end recorded."""
    async with rig(settings={"drain_s": 0}) as running, running.phone() as phone:
        await (await phone.start()).wait_for("media")
        running.stop.set()
        await phone.wait_closed()
        ended = running.store.how_it_ended(CALL_SID)
        assert ended is not None
        assert not ended.normal


@pytest.mark.parametrize("url", ["wss://worker.example/media-stream", "wss://worker.example/media-stream/"])
async def test_signed_handshake(rig: RigFactory, url: str) -> None:
    """Twilio's signature is valid with and without a trailing slash in the signed URL."""
    async with rig() as running, running.phone(**{"X-Twilio-Signature": signature(url)}) as phone:
        assert await (await phone.start()).wait_for("media")


async def test_wrong_signature(rig: RigFactory) -> None:
    """A handshake with a wrong signature is refused before the upgrade."""
    async with rig() as running:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(running.url, additional_headers={"x-twilio-signature": signature("wss://other.example/")})
        assert refusal.value.response.status_code == HTTPStatus.FORBIDDEN


async def test_no_start(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that sends no `start` is closed without opening a model session."""
    monkeypatch.setattr(admission, "_START_WITHIN_S", 0.1)
    async with rig() as running, running.phone(**signed()) as phone:
        await phone.send("connected")
        assert await phone.wait_closed() == 1008
        assert not running.model.sessions


@pytest.mark.parametrize(
    ("token", "call_sid"),
    [
        ("", CALL_SID),
        ("nonsense", CALL_SID),
        (stream_token.sign(SIGNING_KEY, "CA" + "2" * 32), CALL_SID),
    ],
    ids=["missing", "forged", "other call"],
)
async def test_token_refused(rig: RigFactory, token: str, call_sid: str) -> None:
    """Without a valid token for its call, no stream gets a model session."""
    async with rig() as running, running.phone() as phone:
        await phone.start(token, call_sid)
        assert await phone.wait_closed() == 1008
        assert not running.model.sessions


async def test_token_expired(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expired token is refused."""
    monkeypatch.setattr(stream_token, "LIFE_S", -1)
    async with rig() as running, running.phone() as phone:
        await phone.start()
        assert await phone.wait_closed() == 1008
        assert not running.model.sessions


async def test_token_used_twice(rig: RigFactory) -> None:
    """A replayed token is refused, while the call that used it first goes on."""
    token = stream_token.sign(SIGNING_KEY, CALL_SID)
    async with rig(otherwise=[Say("Hello.", ms=300)]) as running:
        async with running.phone() as first, running.phone() as second:
            await (await first.start(token)).wait_for("media")
            await second.start(token)
            assert await second.wait_closed() == 1008
            assert not first.closed
            assert len(running.model.sessions) == 1


async def test_table_away(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the table cannot say whether a token was used, the stream is refused, because each call costs money."""
    async with rig() as running, running.phone() as phone:
        monkeypatch.setattr(running.store, "_table_name", "no-such-table")
        await phone.start()
        assert await phone.wait_closed() == 1008
        assert not running.model.sessions


@pytest.mark.parametrize(
    "message",
    ["not json", '{"event":"start"}', '{"event":"media","media":{"payload":"AAAA"}}', '{"no":"event"}'],
)
async def test_malformed_start(rig: RigFactory, message: str) -> None:
    """A message that Twilio would not send ends the stream at once."""
    async with rig() as running, running.phone() as phone:
        await phone.stream.send(message)
        assert await phone.wait_closed() == 1008


@pytest.mark.parametrize("resumptions", ["", "-1", "many", "9" * 5_000, "\u0661", "1e1"])
async def test_resumptions_that_are_no_number(rig: RigFactory, resumptions: str) -> None:
    """A parameter that is no number ends the stream, because Twilio passes on the number unchanged."""
    async with rig() as running, running.phone() as phone:
        await phone.start(resumed="lost", resumptions=resumptions)
        assert await phone.wait_closed() == 1008


async def test_other_audio(rig: RigFactory) -> None:
    """Another media format than mu-law is refused rather than played as noise."""
    async with rig() as running, running.phone() as phone:
        media: dict[str, Any] = {"encoding": "audio/l16", "sampleRate": 16000, "channels": 1}
        await phone.send("start", start={"streamSid": "MZ1", "callSid": CALL_SID, "mediaFormat": media})
        assert await phone.wait_closed() == 1008


async def test_full(rig: RigFactory) -> None:
    """A full worker refuses the next call before the upgrade; its own calls go on."""
    async with rig(settings={"max_calls": 1}) as running, running.phone() as phone:
        await (await phone.start()).wait_for("media")
        with pytest.raises(InvalidStatus) as refusal:
            await connect(running.url)
        assert refusal.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert await _get(running.port, "/health") == HTTPStatus.OK
        assert not phone.closed


async def test_quiet_stream(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream without messages is closed, so that another worker can resume the call."""
    monkeypatch.setattr(watchdog, "_QUIET_S", 0.2)
    monkeypatch.setattr(bridge, "POLL_INTERVAL_S", 0.1)
    async with rig() as running, running.phone() as phone:
        await phone.start()
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.MOVED


async def test_flood(rig: RigFactory) -> None:
    """A stream that sends more than Twilio would ends its own call and no other."""
    async with rig(otherwise=[Say("Hello.", ms=200)]) as running, running.phone() as phone, running.phone() as other:
        await (await phone.start()).wait_for("media")
        await (await other.start(call_sid="CA" + "2" * 32)).wait_for("media")
        with suppress(ConnectionClosed):
            for number in range(20_000):
                await phone.send("mark", mark={"name": str(number)})
        await phone.wait_closed()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED
        assert not other.closed


async def test_oversize(rig: RigFactory) -> None:
    """The same for one message that is larger than any of Twilio's."""
    async with rig() as running, running.phone() as phone:
        await (await phone.start()).wait_for("media")
        with suppress(ConnectionClosed):
            await phone.send("mark", mark={"name": "x" * 70_000})
        assert await phone.wait_closed() == 1009
