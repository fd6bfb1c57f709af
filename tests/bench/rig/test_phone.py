"""The rig's phone behaves like Twilio; a `websockets` server plays the application."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from bench.rig.gauges import Gauges
from bench.rig.phone import Line, Phone
from bench.rig.stamp import Payload
from local.stack.process import HOST

Application = Callable[[ServerConnection], Any]


@asynccontextmanager
async def _connected(application: Application, **options: Any) -> AsyncIterator[Phone]:
    """A phone whose stream `application` handles."""
    async with serve(application, HOST, 0, compression=None, **options) as server:
        port = server.sockets[0].getsockname()[1]
        phone = Phone(5, Line(port, lambda call_sid: f"token of {call_sid}", "signed"), Gauges(), lambda _serial: None)
        await asyncio.get_running_loop().create_connection(lambda: phone, HOST, port)
        yield phone
        phone.abort()


def _media(payload: bytes) -> str:
    return json.dumps({"event": "media", "streamSid": "MZ", "media": {"payload": payload.decode()}})


def _mark(name: str) -> str:
    return json.dumps({"event": "mark", "streamSid": "MZ", "mark": {"name": name}})


async def test_a_stream_begins_as_twilios_do() -> None:
    """The signature on the handshake, then connected, start with the call's token, and numbered frames."""
    done: asyncio.Future[tuple[Any, list[dict[str, Any]]]] = asyncio.get_running_loop().create_future()

    async def application(stream: ServerConnection) -> None:
        messages = [json.loads(await stream.recv()) for _ in range(4)]
        done.set_result((stream.request, messages))

    async with _connected(application) as phone:
        await phone.opened
        phone.start()
        phone.talk()
        phone.talk()
        request, [connected, start, first, second] = await asyncio.wait_for(done, 10)
    assert request.headers["X-Twilio-Signature"] == "signed"
    assert connected["event"] == "connected"
    assert start["start"]["customParameters"]["token"] == f"token of {start['start']['callSid']}"
    assert [frame["media"]["timestamp"] for frame in (first, second)] == ["0", "20"]
    assert len(first["media"]["payload"]) == 216


async def test_marks_come_back_in_order_when_their_audio_has_been_played() -> None:
    """A mark before all audio comes back at once; a mark's name may be any text."""
    echoes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def application(stream: ServerConnection) -> None:
        audio = Payload(40)
        for message in (
            _mark('a "b'),
            _media(audio.stamped(1, 0)),
            _mark("1"),
            _media(audio.stamped(1, 1)),
            _mark("2"),
        ):
            await stream.send(message)
        for _ in range(3):
            await echoes.put(json.loads(await stream.recv()))

    async with _connected(application) as phone:
        names = [(await asyncio.wait_for(echoes.get(), 10))["mark"]["name"] for _ in range(3)]
        assert phone.hearing.arrived == 2
        assert phone.heard_agent.done()
    assert names == ['a "b', "1", "2"]


async def test_a_clear_sends_the_waiting_marks_back_at_once() -> None:
    """Although a minute of audio was queued before them."""
    done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def application(stream: ServerConnection) -> None:
        for message in (_media(Payload(60_000).stamped(1, 0)), _mark("1"), _mark("2")):
            await stream.send(message)
        await stream.send('{"event":"clear","streamSid":"MZ"}')
        done.set_result([json.loads(await stream.recv())["mark"]["name"] for _ in range(2)])

    async with _connected(application) as phone:
        assert await asyncio.wait_for(done, 10) == ["1", "2"]
        assert (phone.clears, phone.marks_echoed) == (1, 2)


async def test_a_stream_that_is_not_let_in_says_how_it_was_refused() -> None:
    """`closed` comes without `opened`."""

    def refuse(stream: ServerConnection, _request: Request) -> Response:
        return stream.respond(403, "no")

    async with _connected(lambda _stream: None, process_request=refuse) as phone:
        await asyncio.wait_for(phone.closed, 10)
        assert not phone.opened.done()
        assert phone.refusal == "HTTP/1.1 403 Forbidden"


async def test_pings_are_answered_and_a_goodbye_is_returned() -> None:
    """Otherwise the worker's keep-alive would end the calls of a longer run."""
    done: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def application(stream: ServerConnection) -> None:
        await (await stream.ping())
        await stream.close(1001)
        done.set_result(stream.close_code)

    async with _connected(application) as phone:
        assert await asyncio.wait_for(done, 10) == 1001
        await asyncio.wait_for(phone.closed, 10)
