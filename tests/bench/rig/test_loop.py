"""The selector reads registered sockets on the same loop as everything else, and gives them back on request."""

import asyncio
import socket
from typing import Any

from bench.rig.loop import RigLoop


class _Usual(asyncio.Protocol):
    """Records what the event loop read."""

    def __init__(self) -> None:
        self.usual: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.usual.append(data)


async def _both_ways() -> tuple[list[bytes], list[bytes]]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, RigLoop)
    ours, theirs = socket.socketpair()
    transport, protocol = await loop.create_connection(_Usual, sock=ours)
    prompt: list[bytes] = []
    loop.read_promptly(transport, prompt.append)
    theirs.sendall(b"promptly")
    await asyncio.sleep(0.05)
    loop.read_usually(transport)
    theirs.sendall(b"usually")
    await asyncio.sleep(0.05)
    theirs.close()
    transport.abort()
    await asyncio.sleep(0)
    return prompt, protocol.usual


def test_a_socket_is_read_in_one_way_or_the_other() -> None:
    """Each piece arrives once."""
    with asyncio.Runner(loop_factory=RigLoop) as runner:
        assert runner.run(_both_ways()) == ([b"promptly"], [b"usually"])


class _Lost(asyncio.Protocol):
    """Signals the end of its connection."""

    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


async def _one_that_fails() -> tuple[list[dict[str, Any]], list[bytes]]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, RigLoop)
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    failing, other = socket.socketpair(), socket.socketpair()
    transport, protocol = await loop.create_connection(_Lost, sock=failing[0])
    lasting, _protocol = await loop.create_connection(asyncio.Protocol, sock=other[0])
    taken: list[bytes] = []

    def fail(_data: bytes) -> None:
        raise ValueError("not one of the rig's messages")

    loop.read_promptly(transport, fail)
    loop.read_promptly(lasting, taken.append)
    for _ours, theirs in (failing, other):
        theirs.sendall(b"a message")
    await asyncio.wait_for(protocol.lost, 10)
    await asyncio.sleep(0.05)
    loop.read_usually(lasting)
    lasting.abort()
    await asyncio.sleep(0)
    return told, taken


def test_a_connection_that_fails_ends_itself_and_no_other() -> None:
    """The error goes to the loop's exception handler."""
    with asyncio.Runner(loop_factory=RigLoop) as runner:
        [told], taken = runner.run(_one_that_fails())
    assert isinstance(told["exception"], ValueError)
    assert taken == [b"a message"]


async def _called_meanwhile() -> list[str]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, RigLoop)
    ours, theirs = socket.socketpair()
    transport, _protocol = await loop.create_connection(asyncio.Protocol, sock=ours)
    over: asyncio.Future[None] = loop.create_future()
    told: list[str] = []

    def take(_data: bytes) -> None:
        loop.call_soon(told.append, "soon")
        loop.call_later(0.01, told.append, "later")
        loop.call_later(0.02, lambda: loop.call_soon(over.set_result, None))

    loop.read_promptly(transport, take)
    theirs.sendall(b"a message")
    another = loop.call_later(5, told.append, "another event")
    await over
    another.cancel()
    loop.read_usually(transport)
    transport.abort()
    await asyncio.sleep(0)
    return told


def test_a_message_can_schedule_callbacks() -> None:
    """The selector reads on without returning, unless there is a callback to run, now or later."""
    with asyncio.Runner(loop_factory=RigLoop) as runner:
        assert runner.run(_called_meanwhile()) == ["soon", "later"]
