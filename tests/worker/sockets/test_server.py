"""The end that is asked, with the client of `websockets` at the other."""

import asyncio
import http
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.http11 import Request

from tests.worker.sockets.conftest import LIMITS, Ear, host
from worker.sockets.receiver import SocketLost
from worker.sockets.server import Answer, Server, ServerSocket


async def _answer(port: int, request: bytes) -> bytes:
    """All that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


async def test_messages_both_ways() -> None:
    """Whole ones, fragments and long ones arrive as they were sent, in order, and so do the answers."""
    async with host() as running, connect(running.url, additional_headers={"X-Test": "yes"}) as client:
        socket, ear = await running.socket(), Ear()
        assert socket.request.headers["X-Test"] == "yes"
        socket.listen(ear)
        await client.send("short")
        await client.send(["in ", "three ", "parts"])
        await client.send("x" * 1000)
        assert await ear.heard(3) == [b"short", b"in three parts", b"x" * 1000]
        for answer in ["answer", "y" * 300, "z" * 70_000]:
            socket.send(answer.encode())
            assert await client.recv() == answer


async def test_what_arrives_before_anybody_listens() -> None:
    """It waits, is asked for one by one or handed over at once, and what comes later stands behind it."""
    async with host() as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        await client.send("one")
        await client.send("two")
        assert await socket.receive() == b"one"
        await (await client.ping())
        socket.listen(ear)
        await client.send("three")
        assert await ear.heard(2) == [b"two", b"three"]


async def test_no_more_than_so_much_waits() -> None:
    """A peer that talks to nobody is not read from for ever, and loses nothing once somebody listens."""
    sent = [f"{number:0100}" for number in range(40_000)]
    async with host() as running, connect(running.url, ping_interval=None) as client:

        async def talk() -> None:
            for message in sent:
                await client.send(message)

        socket, ear = await running.socket(), Ear()
        talking = asyncio.create_task(talk())
        done, _ = await asyncio.wait([talking], timeout=1)
        assert not done
        socket.listen(ear)
        assert await ear.heard(len(sent)) == [message.encode() for message in sent]
        await talking


async def test_whoever_listens_may_hold_it() -> None:
    """Of what waited all is handed over; what has not been read by then stays with the peer."""

    class Holder(Ear):
        def received(self, message: bytes) -> None:
            super().received(message)
            socket.hold()

    async with host() as running, connect(running.url) as client:
        socket, holder = await running.socket(), Holder()
        await client.send("one")
        await (await client.ping())
        socket.listen(holder)
        assert await holder.heard(1) == [b"one"]
        pong = await client.ping()
        unanswered, _ = await asyncio.wait([asyncio.ensure_future(pong)], timeout=0.2)
        assert not unanswered
        socket.listen(Ear())
        socket.close()


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_the_peer_says_goodbye(code: int) -> None:
    """Whoever listens is told once, with the code; nothing can be sent any more, and nothing minds."""
    async with host() as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        await client.send("last words")
        await client.close(code)
        assert await ear.end() == code
        assert ear.messages == [b"last words"]
        socket.send(b"into the void")
        await socket.wait_closed()
        socket.send(b"into the void")
        assert ear.ends == [code]


async def test_the_peer_is_gone_while_nobody_listens() -> None:
    """First comes what it had said, then the end, both for who asks and for who listens."""
    async with host() as running:
        for number, listening in enumerate((False, True), 1):
            async with connect(running.url) as client:
                await client.send("last words")
            socket, ear = await running.socket(number), Ear()
            await socket.wait_closed()
            if listening:
                socket.listen(ear)
                assert await ear.end() == 1000
                assert ear.messages == [b"last words"]
            else:
                assert await socket.receive() == b"last words"
                with pytest.raises(SocketLost) as lost:
                    await socket.receive()
                assert lost.value.code == 1000


async def test_the_connection_breaks() -> None:
    """Without a goodbye there is no code."""
    async with host() as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        client.transport.abort()
        assert await ear.end() is None


async def test_we_say_goodbye() -> None:
    """The peer hears why; nothing of it is heard any more."""
    async with host() as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        await asyncio.sleep(0)
        socket.close(1008, "not you")
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "not you")
        await socket.wait_closed()
        assert not ear.ends


async def test_a_peer_that_does_not_say_goodbye() -> None:
    """It has some time, and is then cut off."""
    async with host(replace(LIMITS, close_s=0.1)) as running:
        reader, writer = await _open_by_hand(running.server.port)
        (await running.socket()).close()
        await (await running.socket()).wait_closed()
        assert await reader.read() == b"\x88\x02\x03\xe8"
        writer.close()


async def test_a_peer_that_answers_no_ping() -> None:
    """A line that is dead though TCP does not know it ends after a second ping is due."""
    async with host(replace(LIMITS, ping_every_s=0.05, close_s=0.05)) as running:
        _, writer = await _open_by_hand(running.server.port)
        ear = Ear()
        (await running.socket()).listen(ear)
        assert await ear.end() is None
        await (await running.socket()).wait_closed()
        writer.close()


async def test_a_peer_that_answers_pings() -> None:
    """It stays, however often it is asked."""
    async with host(replace(LIMITS, ping_every_s=0.01)) as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        await asyncio.sleep(0.2)
        await client.send("still here")
        assert await ear.heard(1) == [b"still here"]
        assert not ear.ends


async def test_a_peer_that_does_not_read() -> None:
    """What is written to it does not grow for ever: the connection ends."""
    async with host() as running:
        _, writer = await _open_by_hand(running.server.port)
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        await asyncio.sleep(0)
        sent = 0
        async with asyncio.timeout(20):
            while not ear.ends:
                socket.send(b"x" * 10_000)
                sent += 10_000
                await asyncio.sleep(0)
        assert ear.ends == [None]
        assert sent < 20_000_000  # what the kernel takes, and the little that may wait
        writer.close()


async def test_too_long_a_message() -> None:
    """The peer learns why it is closed."""
    async with host() as running, connect(running.url) as client:
        ear = Ear()
        (await running.socket()).listen(ear)
        await client.send("x" * 1001)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert await ear.end() is None
        assert not ear.messages


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x05hello", b"\x03\xea"),  # not masked: 1002
        (b"\xc1\x80\0\0\0\0", b"\x03\xea"),  # compressed, which was not agreed: 1002
        (b"\x80\x80\0\0\0\0", b"\x03\xea"),  # the continuation of nothing: 1002
        (b"\x83\x80\0\0\0\0", b"\x03\xea"),  # no opcode: 1002
    ],
)
async def test_a_malformed_frame(frame: bytes, code: bytes) -> None:
    """It ends the socket, and the peer learns with which fault."""
    async with host() as running:
        reader, writer = await _open_by_hand(running.server.port)
        ear = Ear()
        (await running.socket()).listen(ear)
        writer.write(frame)
        assert await ear.end() is None
        assert (await reader.read())[2:4] == code
        writer.close()


async def test_frames_in_one_piece_with_the_request() -> None:
    """A client that does not wait for the answer is heard all the same."""
    async with host() as running:
        _, writer = await _open_by_hand(running.server.port, b"\x81\x85\0\0\0\0hello\x81\x85\0\0")
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        assert await ear.heard(1) == [b"hello"]
        writer.write(b"\0\0world")
        assert await ear.heard(2) == [b"hello", b"world"]
        writer.close()


async def test_http_answers() -> None:
    """What `check` answers takes the place of a socket; its text comes, and the connection ends."""

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
    ],
)
async def test_no_handshake(request_: bytes, status: bytes) -> None:
    """Requests that do not ask for a WebSocket as they must are told so."""
    async with host() as running:
        assert (await _answer(running.server.port, request_)).split(b" ")[1] == status
        assert not running.sockets


async def test_nonsense() -> None:
    """What is no HTTP gets no answer."""
    async with host() as running:
        assert await _answer(running.server.port, b"\x16\x03\x01 is this TLS?\r\n\r\n") == b""


async def test_a_handshake_that_is_not_finished() -> None:
    """It has some time, and is then cut off; one that ends itself is forgotten at once."""
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
    """Nothing is open after it: peers hear 1001, whoever waits for a message hears that there is none."""
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
    """It ends that socket, and the server goes on."""

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


async def _open_by_hand(port: int, behind: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket whose client knows of no frames."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: worker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + behind
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer
