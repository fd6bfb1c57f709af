"""The common part of both ends, tested on the server end against the client of `websockets`."""

import asyncio
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from tests.worker.websocket.conftest import LIMITS, Ear, host, open_by_hand
from worker.websocket.receiver import SocketLost


async def test_messages_both_ways() -> None:
    """Whole, fragmented and long messages arrive unchanged and in order, and so do the answers."""
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


async def test_messages_before_listen() -> None:
    """Messages wait for `receive` or `listen`; later ones come after them."""
    async with host() as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        await client.send("one")
        await client.send("two")
        assert await socket.receive() == b"one"
        await (await client.ping())
        socket.listen(ear)
        await client.send("three")
        assert await ear.heard(2) == [b"two", b"three"]


async def test_few_messages_wait() -> None:
    """Before `listen` only a few messages are read; no message is lost."""
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


async def test_a_receiver_may_pause_reading() -> None:
    """All waiting messages are delivered; what is not read yet stays with the peer."""

    class Holder(Ear):
        def received(self, message: bytes) -> None:
            super().received(message)
            socket.pause_reading()

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
    """The receiver is told once, with the code; later sends do nothing and raise nothing."""
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


async def test_the_peer_leaves_before_listen() -> None:
    """`receive` and `listen` both give the waiting messages first, then the end."""
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
    """Without a close frame there is no code."""
    async with host() as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        client.transport.abort()
        assert await ear.end() is None


async def test_we_say_goodbye() -> None:
    """The peer gets the code and reason; its later messages are discarded."""
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
    """The connection is aborted after `close_s`."""
    async with host(replace(LIMITS, close_s=0.1)) as running:
        reader, writer = await open_by_hand(running.server.port)
        (await running.socket()).close()
        await (await running.socket()).wait_closed()
        assert await reader.read() == b"\x88\x02\x03\xe8"
        writer.close()


async def test_a_peer_that_answers_no_ping() -> None:
    """A dead connection that TCP has not noticed ends when the second ping is due."""
    async with host(replace(LIMITS, ping_every_s=0.05, close_s=0.05)) as running:
        _, writer = await open_by_hand(running.server.port)
        ear = Ear()
        (await running.socket()).listen(ear)
        assert await ear.end() is None
        await (await running.socket()).wait_closed()
        writer.close()


async def test_a_peer_that_answers_pings() -> None:
    """The connection stays open over many pings."""
    async with host(replace(LIMITS, ping_every_s=0.1)) as running, connect(running.url) as client:
        socket, ear = await running.socket(), Ear()
        socket.listen(ear)
        await asyncio.sleep(0.5)
        await client.send("still here")
        assert await ear.heard(1) == [b"still here"]
        assert not ear.ends


async def test_a_peer_that_does_not_read() -> None:
    """The unsent bytes are bounded: the connection ends."""
    async with host() as running:
        _, writer = await open_by_hand(running.server.port)
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
        assert sent < 20_000_000  # the kernel's buffers and `unsent_bytes`
        writer.close()


async def test_too_long_a_message() -> None:
    """The peer gets the close code for a message that is too long."""
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
        (b"\x80\x80\0\0\0\0", b"\x03\xea"),  # a continuation without a beginning: 1002
        (b"\x83\x80\0\0\0\0", b"\x03\xea"),  # no opcode: 1002
    ],
)
async def test_a_malformed_frame(frame: bytes, code: bytes) -> None:
    """It ends the socket, and the peer gets the close code."""
    async with host() as running:
        reader, writer = await open_by_hand(running.server.port)
        ear = Ear()
        (await running.socket()).listen(ear)
        writer.write(frame)
        assert await ear.end() is None
        assert (await reader.read())[2:4] == code
        writer.close()
