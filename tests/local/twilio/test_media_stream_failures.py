"""Failures of a media stream, and how the call goes on."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from local.twilio import Person, SimulatedTwilio, media_stream
from local.twilio.person import HangUp, Listen
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, STREAM_URL, Application
from tests.local.twilio.probe import Conversation, Probe, close_on_start

WEBHOOK = f"{PUBLIC_URL}/incoming-call"
AGENT = b"\x10"


async def test_refused_messages_are_dropped_with_a_warning(
    twilio: SimulatedTwilio, connected: Application, probe: Probe
) -> None:
    """Binary frames and malformed messages have no effect; the stream goes on."""

    async def misbehave(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await conversation.socket.send(b'{"event":"clear"}')
            await conversation.socket.send('{"event":"media","streamSid":null,"media":{"payload":"AAEC"}}')
            await conversation.send({"event": "mark"})
            await conversation.play(AGENT * 800)

    probe.react = misbehave
    report = await twilio.call(Person(Listen(), HangUp()), webhook=WEBHOOK)
    assert report.codes == [31950, 31951, 31951]
    assert report.heard.count(AGENT) == 800


async def test_abnormal_close_is_a_warning(twilio: SimulatedTwilio, connected: Application, probe: Probe) -> None:
    """A worker that dies causes warning 31921, and the call goes on."""

    async def die(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            conversation.socket.transport.abort()

    probe.react = die
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert (report.codes, report.said) == ([31921], ["Goodbye"])


@pytest.mark.parametrize(("code", "warnings"), [(1001, []), (1011, [31921])])
async def test_close_code_tells_a_deliberate_close_from_a_failure(
    twilio: SimulatedTwilio, connected: Application, probe: Probe, code: int, warnings: list[int]
) -> None:
    """Close code 1001 (going away) is deliberate, an internal error is not."""

    async def close(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await conversation.socket.close(code, "because")

    probe.react = close
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert (report.codes, report.said) == (warnings, ["Goodbye"])
    assert report.streams[0].close_code == code


async def test_broken_protocol_is_a_warning(twilio: SimulatedTwilio, connected: Application, probe: Probe) -> None:
    """Bytes that are not a WebSocket frame cause 31924."""

    async def scribble(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            conversation.socket.transport.write(b"\xff\xff\xff\xff")

    probe.react = scribble
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert (report.codes, report.said) == ([31924], ["Goodbye"])


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        ('<Stream url="wss://nobody.example/media-stream"/>', 31902),
        ('<Stream url="wss://plain.example/media-stream"/>', 31910),
        ('<Stream url="ws://worker.example/media-stream"/>', 31922),
        ('<Stream url="media-stream"/>', 31922),
        (f'<Stream url="{STREAM_URL}"><Parameter name="token" value="{"x" * 495}"/></Stream>', 31103),
    ],
)
async def test_stream_that_cannot_open_is_reported_and_passed_over(
    application: Application, probe: Probe, stream: str, code: int
) -> None:
    """With the debugger's code, and the caller hears the next verb."""
    application.replies["/incoming-call"] = [f"<Connect>{stream}</Connect><Say>fallback</Say>"]
    tunnels = {
        PUBLIC_URL: application.address,
        "wss://worker.example": probe.address,
        "wss://nobody.example": "ws://127.0.0.1:1",
        "wss://plain.example": application.address.replace("http://", "wss://"),
    }
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=10) as twilio:
        report = await twilio.call(Person(), webhook=WEBHOOK)
    assert (report.codes, report.said) == ([code], ["fallback"])
    assert probe.conversations == []


async def test_refused_handshake_is_reported_and_passed_over(connected: Application) -> None:
    """A worker that answers 403 or 503 causes 31920, and the action is requested."""

    def refuse(connection: ServerConnection, _request: Request) -> Response:
        return connection.respond(503, "draining")

    async def never(_connection: ServerConnection) -> None:
        raise AssertionError("the handshake succeeded")

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        tunnels = {PUBLIC_URL: connected.address, "wss://worker.example": f"ws://127.0.0.1:{port}"}
        async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=10) as twilio:
            report = await twilio.call(Person(), webhook=WEBHOOK)
    assert (report.codes, report.said) == ([31920], ["Goodbye"])


async def test_silent_worker_is_not_waited_for(connected: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts the connection and never answers causes 31901, after a timeout."""
    monkeypatch.setattr(media_stream, "CONNECT_LIMIT_S", 0.2)
    done = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        tunnels = {PUBLIC_URL: connected.address, "wss://worker.example": f"ws://127.0.0.1:{port}"}
        async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=10) as twilio:
            report = await twilio.call(Person(), webhook=WEBHOOK)
        done.set()
    assert (report.codes, report.said) == ([31901], ["Goodbye"])


async def test_query_of_the_stream_url_is_dropped(
    twilio: SimulatedTwilio, application: Application, probe: Probe
) -> None:
    """A token in the query never arrives, as on real calls."""
    application.replies["/incoming-call"] = [f'<Connect><Stream url="{STREAM_URL}?token=secret"/></Connect>']
    probe.react = close_on_start
    report = await twilio.call(Person(), webhook=WEBHOOK)
    request = probe.conversations[0].socket.request
    assert request is not None
    assert request.path == "/media-stream"
    assert [notice.text for notice in report.warnings] == [
        f"the query of '{STREAM_URL}?token=secret' is dropped; use <Parameter>"
    ]
