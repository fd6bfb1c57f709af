"""What is to be read promptly is, on the same loop as everything else, and whoever ends it gets the usual way back."""

import asyncio
import socket

from bench.loop import RigLoop


class _Usual(asyncio.Protocol):
    """Notes what came by the usual way."""

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
    loop.read_promptly(transport, lambda: prompt.append(ours.recv(100)))
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
    """Each piece once."""
    with asyncio.Runner(loop_factory=RigLoop) as runner:
        assert runner.run(_both_ways()) == ([b"promptly"], [b"usually"])
