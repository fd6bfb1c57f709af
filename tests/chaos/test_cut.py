"""The TCP proxy forwards everything, and nothing while it is cut."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from local.chaos.cut import Line


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """A proxy to a server that answers every connection."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server, Line() as line:
        line.leads_to = server.sockets[0].getsockname()[1]
        yield line


async def test_new_connections_fail_while_it_is_cut(line: Line) -> None:
    """Before and after, they succeed."""
    async with httpx.AsyncClient() as client:
        assert (await client.get(line.url)).text == "hello"
        line.cut()
        with pytest.raises(httpx.TransportError):
            await client.get(line.url)
        line.mend()
        assert (await client.get(line.url)).text == "hello"


async def test_a_cut_ends_open_connections(line: Line) -> None:
    """A connection that was kept open ends with the cut."""
    reader, writer = await asyncio.open_connection(*line.url.removeprefix("http://").split(":"))
    writer.write(b"GET / HTTP/1.1\r\n")
    await asyncio.sleep(0.1)
    line.cut()
    assert await reader.read() == b""
    writer.close()
