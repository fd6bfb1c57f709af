"""The server end, against the client of `websockets`."""

import asyncio
import http
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.http11 import Request

from tests.worker.websocket.conftest import LIMITS, Ear, host, open_by_hand
from worker.websocket.receiver import SocketLost
from worker.websocket.server import Answer, Server, ServerSocket

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: worker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n%b\r\n\r\n"
)


async def _answer(port: int, request: bytes) -> bytes:
    """Sends raw bytes; returns everything that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


async def test_frames_in_one_piece_with_the_request() -> None:
    """Messages of a client that does not wait for the answer are read."""
    async with host() as running:
        _, writer = await open_by_hand(running.server.port, b"\x81\x85\0\0\0\0hello\x81\x85\0\0")
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        assert await ear.heard(1) == [b"hello"]
        writer.write(b"\0\0world")
        assert await ear.heard(2) == [b"hello", b"world"]
        writer.close()


async def test_http_answers() -> None:
    """An answer of `check` is sent instead of opening a socket, and the connection ends."""

    def check(request: Request) -> Answer | None:
        return None if request.path == "/socket" else Answer(http.HTTPStatus.NOT_FOUND, "nothing here\n")

    async with host(check=check) as running:
        answer = await _answer(running.server.port, b"GET /elsewhere HTTP/1.1\r\nHost: worker\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert answer.endswith(b"\r\n\r\nnothing here\n")
        with pytest.raises(InvalidStatus):
            await connect(running.url)
        async with connect(f"{running.url}socket"):
            await running.socket()
        assert len(running.sockets) == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: worker\r\n\r\n", b"426"),
        (b"POST / HTTP/1.1\r\nHost: worker\r\n\r\n", b"405"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X: %b\r\n" % (b"x" * 4000) for _ in range(5)), b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 200 + b"\r\n", b"431"),
        (b"\x16\x03\x01 is this TLS?\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\n\n\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"400"),
        (HANDSHAKE % b"Sec-WebSocket-Key: \xff\xfe", b"400"),
        (HANDSHAKE % b"Sec-WebSocket-Key: short", b"400"),
        (HANDSHAKE % b"Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: b", b"400"),
        (HANDSHAKE % b"Sec-WebSocket-Extensions: ;;;", b"400"),
    ],
)
async def test_no_handshake(request_: bytes, status: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Invalid requests for a WebSocket get an error status; the log has one line, without a trace."""
    async with host() as running:
        assert (await _answer(running.server.port, request_)).split(b" ")[1] == status
        assert not running.sockets
    (line,) = caplog.records
    assert line.getMessage() == "handshake refused"
    assert not line.exc_info


async def test_a_check_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A fault in `check` is answered with an error, and the next request works."""

    def check(request: Request) -> Answer | None:
        return Answer(http.HTTPStatus.OK, "ok") if request.path == "/good" else Answer(*[])

    async with host(check=check) as running:
        assert (await _answer(running.server.port, b"GET /bad HTTP/1.1\r\n\r\n")).split(b" ")[1] == b"500"
        assert (await _answer(running.server.port, b"GET /good HTTP/1.1\r\n\r\n")).split(b" ")[1] == b"200"
    assert [line.getMessage() for line in caplog.records] == ["handshake failed"]


async def test_a_silent_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A connection that only probes the port causes no log line."""
    async with host() as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        writer.write_eof()
        while running.server.sockets:
            await asyncio.sleep(0.01)
        writer.close()
    assert not caplog.records


async def test_a_handshake_that_is_not_finished() -> None:
    """It is aborted after `open_s`; a connection that ends earlier is removed at once."""
    async with host(replace(LIMITS, open_s=0.1)) as running:
        assert await _answer(running.server.port, b"GET / HTTP/1.1\r\nHost:") == b""
    async with host() as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        writer.write(b"GET / HT")
        writer.write_eof()
        while running.server.sockets:
            await asyncio.sleep(0.01)
        writer.close()


async def test_the_server_goes_away() -> None:
    """All sockets are closed: peers get code 1001, and a waiting `receive` raises `SocketLost`."""
    waiting: list[int | None] = []

    async def take(socket: ServerSocket) -> None:
        with pytest.raises(SocketLost) as lost:
            await socket.receive()
        waiting.append(lost.value.code)

    async with await Server(lambda _request: None, take, LIMITS).listen(0, "127.0.0.1") as server:
        client = await connect(f"ws://127.0.0.1:{server.port}/")
        _, unfinished = await asyncio.open_connection("127.0.0.1", server.port)
        while len(server.sockets) < 2:
            await asyncio.sleep(0.01)
    assert waiting == [None]
    assert not server.sockets
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    unfinished.close()


async def test_a_fault_in_what_takes_a_socket() -> None:
    """A fault in `take` ends that socket, and the server goes on."""

    async def take(socket: ServerSocket) -> None:
        if await socket.receive() == b"fault":
            raise ZeroDivisionError
        socket.send(b"fine")

    async with await Server(lambda _request: None, take, LIMITS).listen(0, "127.0.0.1") as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with connect(url) as one, connect(url) as other:
            await one.send("fault")
            with pytest.raises(ConnectionClosedError) as closed:
                await one.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
            await other.send("no fault")
            assert await other.recv() == "fine"
