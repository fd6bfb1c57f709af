"""A listener's connections last until they are served or dropped; `join` copies bytes between two."""

import asyncio
import contextlib

from local.stack.connections import Ends, Listener, join
from local.stack.process import HOST


async def _forever(_ends: Ends) -> None:
    await asyncio.Event().wait()


async def test_dropped_connections_end_and_new_ones_are_taken() -> None:
    """The listener itself goes on."""
    taken: asyncio.Queue[Ends] = asyncio.Queue()

    async def serve(ends: Ends) -> None:
        taken.put_nowait(ends)
        await _forever(ends)

    async with Listener(serve) as listener:
        reader, writer = await asyncio.open_connection(HOST, listener.port)
        await taken.get()
        listener.drop_all()
        assert await reader.read() == b""
        writer.close()
        _, another = await asyncio.open_connection(HOST, listener.port)
        await taken.get()
        another.close()


async def test_a_connection_that_has_been_served_is_closed() -> None:
    """After everything written to it was delivered, and even if its writer is still referenced."""
    served: list[Ends] = []

    async def greet(ends: Ends) -> None:
        served.append(ends)
        ends[1].write(b"hello")

    async with Listener(greet) as listener:
        reader, writer = await asyncio.open_connection(HOST, listener.port)
        assert await reader.read() == b"hello"
        writer.close()


async def test_joined_connections_carry_both_ways_until_the_one_behind_ends() -> None:
    """Data sent before that end arrives; a client that only listens then sees the end."""

    async def echo_once(ends: Ends) -> None:
        ends[1].write(await ends[0].readexactly(4))

    async with Listener(echo_once) as behind:

        async def lead(front: Ends) -> None:
            there = await asyncio.open_connection(HOST, behind.port)
            with contextlib.closing(there[1]):
                await join(front, there)

        async with Listener(lead) as door:
            reader, writer = await asyncio.open_connection(HOST, door.port)
            writer.write(b"ping")
            assert await reader.read() == b"ping"
            writer.close()
