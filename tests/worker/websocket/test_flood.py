"""The bounds on the work of one socket in one turn of the loop, and on an untrusted peer."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

import pytest
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from tests.worker.websocket.conftest import LIMITS, Ear, host, open_by_hand
from worker.websocket import framing
from worker.websocket.connection import Allowance
from worker.websocket.receiver import SocketLost
from worker.websocket.server import ServerSocket

A_TURN = LIMITS.frames_a_turn
# The counter runs at any point of a turn, so it may count parts of two turns together.
TWO_TURNS = 2 * A_TURN
UNTRUSTED = replace(LIMITS, untrusted=Allowance(frames=32, bytes=16 * 1024), message_bytes=64 * 1024)

FLOODS = {
    "pongs": Frame(Opcode.PONG, b""),
    "pings": Frame(Opcode.PING, b""),
    "parts of a message": Frame(Opcode.CONT, b"", fin=False),
    "tiny texts": Frame(Opcode.TEXT, b""),
    "binary": Frame(Opcode.BINARY, b"x"),
}


def flood(kind: str, count: int) -> bytes:
    """`count` frames of one kind, as a client sends them."""
    first = Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True) if kind == "parts of a message" else b""
    return first + FLOODS[kind].serialize(mask=True) * count


@dataclass
class LoopTurns:
    """Counts the frames read in each turn of the event loop."""

    frames: int = 0
    most: int = 0
    counting: bool = True

    def turn(self) -> None:
        self.most, self.frames = max(self.most, self.frames), 0
        if self.counting:
            asyncio.get_running_loop().call_soon(self.turn)


@contextmanager
def turns_counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopTurns]:
    """Counts frames read by the protocol, and text frames read by `read_text`."""
    turns = LoopTurns()
    by_protocol, by_us = ServerProtocol.receive_data, framing.read_text

    def receive_data(protocol: ServerProtocol, data: bytes) -> None:
        turns.frames += 1
        by_protocol(protocol, data)

    def read_text(data: bytes, at: int, *, masked: bool, longest: int) -> tuple[bytes, int] | None:
        text = by_us(data, at, masked=masked, longest=longest)
        turns.frames += text is not None
        return text

    monkeypatch.setattr(ServerProtocol, "receive_data", receive_data)
    monkeypatch.setattr(framing, "read_text", read_text)
    turns.turn()
    yield turns
    turns.counting = False


@pytest.mark.parametrize("kind", FLOODS)
async def test_the_most_in_one_turn(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many frames arrive in one read, the loop runs other work after a few of them; none is lost."""
    many = 20_000
    ear = Ear()
    async with host() as running:
        _, writer = await open_by_hand(running.server.port)
        socket = await running.socket()
        socket.listen(ear)
        await asyncio.sleep(0)
        with turns_counted(monkeypatch) as turns:
            writer.write(flood(kind, many))
            await ear.wait(lambda: len(ear.messages) + ear.others >= many)
        assert A_TURN <= turns.most <= TWO_TURNS
        writer.close()


async def test_the_most_that_is_delivered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few messages wait before `listen`; the rest has stayed with the peer."""
    ear = Ear()
    async with host() as running:
        _, writer = await open_by_hand(running.server.port)
        socket = await running.socket()
        writer.write(flood("tiny texts", 1_000))
        async with asyncio.timeout(10):
            while not socket._reading_paused:
                await asyncio.sleep(0.01)
        with turns_counted(monkeypatch) as turns:
            socket.listen(ear)
            await ear.heard(1_000)
        assert A_TURN <= turns.most <= TWO_TURNS
        writer.close()


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_before_trust(kind: str) -> None:
    """An untrusted peer that sends too many frames is aborted, and `overran` says so."""
    async with host(UNTRUSTED) as running:
        reader, writer = await open_by_hand(running.server.port)
        socket = await running.socket()
        writer.write(flood(kind, 10_000))
        assert await _read_all(socket) <= 32
        assert socket.overran
        await _cut_off(reader)
        writer.close()


async def test_too_many_bytes_before_trust() -> None:
    """The allowance in bytes may be smaller than the longest message."""
    async with host(UNTRUSTED) as running:
        reader, writer = await open_by_hand(running.server.port)
        socket = await running.socket()
        writer.write(Frame(Opcode.TEXT, b"x" * 20_000).serialize(mask=True))
        with pytest.raises(SocketLost):
            await socket.receive()
        assert socket.overran
        await _cut_off(reader)
        writer.close()


async def test_a_flood_after_goodbye() -> None:
    """The allowance still applies after the socket was closed."""
    async with host(replace(UNTRUSTED, close_s=60)) as running:
        reader, writer = await open_by_hand(running.server.port)
        socket = await running.socket()
        socket.close(1008)
        writer.write(flood("pongs", 10_000))
        await socket.wait_closed()
        assert socket.overran
        await _cut_off(reader)
        writer.close()


async def test_what_comes_behind_the_first_messages_waits() -> None:
    """Twilio sends audio before it is trusted: the audio waits unread, and none is lost."""
    ear = Ear()
    async with host(UNTRUSTED) as running:
        _, writer = await open_by_hand(running.server.port)
        socket = await running.socket()
        writer.write(b"".join(Frame(Opcode.TEXT, b"%d" % n).serialize(mask=True) for n in range(1_000)))
        assert [await socket.receive() for _ in range(2)] == [b"0", b"1"]
        await asyncio.sleep(0.1)
        assert socket.is_open
        socket.trust()
        await asyncio.sleep(0.1)
        socket.listen(ear)
        assert await ear.heard(998) == [b"%d" % n for n in range(2, 1_000)]
        assert not ear.ends
        writer.close()


async def test_pings_do_not_keep_a_closed_socket() -> None:
    """After our close frame the peer has `close_s` for its own, whatever else it sends."""
    async with host(replace(LIMITS, close_s=0.3)) as running:
        reader, writer = await open_by_hand(running.server.port)
        socket = await running.socket()
        socket.close()
        async with asyncio.timeout(20):
            while not socket._closed.done():
                writer.write(flood("pings", 1))
                await asyncio.sleep(0.02)
        await _cut_off(reader)
        writer.close()


async def test_the_end_behind_a_flood() -> None:
    """A close frame behind many frames is read in order, and so is the end of the connection."""
    ear = Ear()
    async with host() as running:
        _, writer = await open_by_hand(running.server.port)
        (await running.socket()).listen(ear)
        writer.write(flood("tiny texts", 5_000) + Frame(Opcode.CLOSE, b"\x03\xe9").serialize(mask=True))
        writer.write_eof()
        assert await ear.end() == 1001
        assert len(ear.messages) == 5_000
        writer.close()


async def _read_all(socket: ServerSocket) -> int:
    """The number of messages until the socket was lost."""
    for read in count():
        try:
            await socket.receive()
        except SocketLost:
            return read
    raise AssertionError("counting has no end")


async def _cut_off(reader: asyncio.StreamReader) -> None:
    """Waits for the end of the connection, by EOF or by an error."""
    async with asyncio.timeout(10):
        try:
            await reader.read()
        except ConnectionError:
            return
