"""One port leads to the functions and to the worker, and forwards bytes unchanged."""

import asyncio
import http
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
import websockets.asyncio.client
import websockets.asyncio.server
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from local.stack.front_door import FrontDoor
from local.stack.process import free_port


@pytest.fixture
async def requests_seen() -> list[bytes]:
    """The raw requests that reached the HTTP API behind the door."""
    return []


@pytest.fixture
async def door(requests_seen: list[bytes]) -> AsyncIterator[FrontDoor]:
    """A front door to an HTTP server that answers "hello", and to a WebSocket server that echoes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked_to_close = False
        while not asked_to_close and not reader.at_eof():
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
            requests_seen.append(head + await reader.readexactly(length))
            asked_to_close = b"\r\nconnection: close\r\n" in head.lower()
            closing = b"Connection: close\r\n" if asked_to_close else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + closing + b"\r\nhello")
            await writer.drain()
        writer.close()

    async def echo(connection: websockets.asyncio.server.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)
        await connection.close(1011, "as behind")

    api = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with api, websockets.asyncio.server.serve(echo, "127.0.0.1", 0) as worker, FrontDoor() as door:
        door.leads_to(
            api_port=api.sockets[0].getsockname()[1],
            api_path="/_aws/execute-api/abc",
            worker_ports=[next(iter(worker.sockets)).getsockname()[1]],
        )
        yield door


async def test_a_request_reaches_the_api_under_its_path(door: FrontDoor, requests_seen: list[bytes]) -> None:
    """Path, query and body arrive unchanged, so that Twilio's signature over them stays valid."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"http://{door.address}/stream-ended?a=%20b", content=b"From=%2B1555&x=")
    assert (answer.status_code, answer.text) == (http.HTTPStatus.OK, "hello")
    assert requests_seen[0].startswith(b"POST /_aws/execute-api/abc/stream-ended?a=%20b HTTP/1.1\r\n")
    assert requests_seen[0].endswith(b"\r\n\r\nFrom=%2B1555&x=")


async def test_a_second_request_of_a_client_is_routed_by_itself(door: FrontDoor, requests_seen: list[bytes]) -> None:
    """A client with keep-alive cannot send a second request past the routing."""
    async with httpx.AsyncClient() as client:
        for path in ("/health", "/incoming-call"):
            await client.get(f"http://{door.address}{path}")
    assert [urlsplit(seen.split(b" ")[1]).path for seen in requests_seen] == [
        b"/_aws/execute-api/abc/health",
        b"/_aws/execute-api/abc/incoming-call",
    ]


async def test_a_media_stream_reaches_the_worker(door: FrontDoor) -> None:
    """Messages go both ways, and the worker's close code arrives."""
    async with websockets.asyncio.client.connect(f"ws://{door.address}/media-stream", proxy=None) as stream:
        await stream.send("hello")
        assert await stream.recv() == "hello"


async def test_a_worker_that_is_away_is_a_bad_gateway(door: FrontDoor) -> None:
    """Twilio then goes on with the next verb, as when the real worker is down."""
    door.leads_to(api_port=free_port(), api_path="", worker_ports=[free_port()])
    with pytest.raises(InvalidStatus) as refused:
        await websockets.asyncio.client.connect(f"ws://{door.address}/media-stream", proxy=None)
    assert refused.value.response.status_code == http.HTTPStatus.BAD_GATEWAY


@asynccontextmanager
async def worker(name: str, health: http.HTTPStatus = http.HTTPStatus.OK) -> AsyncIterator[int]:
    """The port of a worker that sends its name on every stream."""

    async def tell(connection: websockets.asyncio.server.ServerConnection) -> None:
        await connection.send(name)

    def answer_health(connection: websockets.asyncio.server.ServerConnection, request: Request) -> Response | None:
        return connection.respond(health, "") if request.path == "/health" else None

    async with websockets.asyncio.server.serve(tell, "127.0.0.1", 0, process_request=answer_health) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def _who_answers(door: FrontDoor, times: int) -> list[str | bytes]:
    """The names of the workers that get the next streams."""
    answers = []
    for _ in range(times):
        async with websockets.asyncio.client.connect(f"ws://{door.address}/media-stream", proxy=None) as stream:
            answers.append(await stream.recv())
    return answers


async def test_several_workers_get_streams_in_turn() -> None:
    """In round-robin order."""
    async with worker("a") as a, worker("b") as b, FrontDoor() as door:
        door.leads_to(api_port=free_port(), api_path="", worker_ports=[a, b])
        assert await _who_answers(door, 4) == ["a", "b", "a", "b"]


async def test_a_worker_that_is_gone_or_drains_gets_no_stream() -> None:
    """As with a load balancer's health checks; the remaining workers share the streams."""
    unavailable = http.HTTPStatus.SERVICE_UNAVAILABLE
    async with worker("a") as a, worker("drains", unavailable) as draining, worker("b") as b, FrontDoor() as door:
        door.leads_to(api_port=free_port(), api_path="", worker_ports=[free_port(), a, draining, b])
        assert await _who_answers(door, 4) == ["a", "b", "a", "b"]
        at_once = await asyncio.gather(*(_who_answers(door, 1) for _ in range(8)))
        assert sorted(name for [name] in at_once) == ["a"] * 4 + ["b"] * 4


async def test_what_is_not_http_is_refused(door: FrontDoor) -> None:
    """Other bytes are not forwarded."""
    reader, writer = await asyncio.open_connection(*door.address.split(":"))
    writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
