"""One port for everything that Twilio calls: HTTP requests go to the functions, media streams to a worker.

On AWS the HTTP API and the workers have separate addresses. A tunnel usually has one, so a laptop needs one port. The
request's head decides where it goes; after that, bytes are copied both ways. Each connection carries one request.
Healthy workers get streams in turn, as from AWS's load balancer.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from local.stack.connections import Ends, Listener, join
from local.stack.process import HOST

STREAM_PATH = b"/media-stream"
HEAD_WITHIN_S = 10
LARGEST_HEAD = 16 * 1024
# Like Lambda, the emulator starts another copy of a function for each request that finds no idle copy. On a laptop a
# burst of requests would cause dozens of cold starts that slow each other down.
API_REQUESTS_AT_ONCE = 4
END_OF_HEAD = b"\r\n\r\n"
HEALTHY_WITHIN_S = 2
HEALTH_CHECK = b"GET /health HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FrontDoor:
    """Listens inside its context on `port` (0: any free one). `leads_to` may set the targets later."""

    def __init__(self, port: int = 0) -> None:
        self._listener = Listener(self._serve, port, limit=LARGEST_HEAD)
        self._turns = asyncio.Semaphore(API_REQUESTS_AT_ONCE)
        self._api_port = 0
        self._api_path = b""
        self._worker_ports: list[int] = []
        self._streams = -1

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        return f"{HOST}:{self._listener.port}"

    def leads_to(self, *, api_port: int, api_path: str, worker_ports: Sequence[int]) -> None:
        """Sets the targets: the functions' HTTP API (`api_path` is put before a request's path) and the workers."""
        self._api_port, self._api_path, self._worker_ports = api_port, api_path.encode(), list(worker_ports)

    async def __aenter__(self) -> Self:
        await self._listener.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.__aexit__(kind, error, trace)

    async def _serve(self, front: Ends) -> None:
        try:
            is_stream, head = self._route(await asyncio.wait_for(front[0].readuntil(END_OF_HEAD), HEAD_WITHIN_S))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError):
            front[1].write(BAD_REQUEST)
            return
        if is_stream:
            await _pass_on(await self._next_worker(), head, front)
            return
        async with self._turns:
            await _pass_on(self._api_port, head, front)

    async def _next_worker(self) -> int:
        """The port of the next healthy worker; if none is healthy, of any, whose refusal Twilio then gets."""
        ports = self._worker_ports
        well = await asyncio.gather(*map(_is_healthy, ports))
        ports = [port for port, is_well in zip(ports, well, strict=True) if is_well] or ports
        self._streams += 1
        return ports[self._streams % len(ports)] if ports else 0

    def _route(self, head: bytes) -> tuple[bool, bytes]:
        """Whether the request is a stream, and the head to pass on; raises `ValueError` for what is not HTTP."""
        request_line, *headers = head.removesuffix(END_OF_HEAD).split(b"\r\n")
        method, target, version = request_line.split(b" ")
        if target.partition(b"?")[0].rstrip(b"/") == STREAM_PATH:
            return True, head
        headers = [header for header in headers if not header.lower().startswith(b"connection:")]
        lines = [b" ".join((method, self._api_path + target, version)), *headers, b"Connection: close"]
        return False, b"\r\n".join(lines) + END_OF_HEAD


async def _is_healthy(port: int) -> bool:
    try:
        async with asyncio.timeout(HEALTHY_WITHIN_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            with contextlib.closing(writer):
                writer.write(HEALTH_CHECK)
                status_line = await reader.readline()
    except (OSError, TimeoutError):
        return False
    return status_line.split(b" ")[1:2] == [b"200"]


async def _pass_on(port: int, head: bytes, front: Ends) -> None:
    try:
        behind = await asyncio.open_connection(HOST, port)
    except OSError:
        front[1].write(BAD_GATEWAY)
        return
    with contextlib.closing(behind[1]):
        behind[1].write(head)
        await join(front, behind)
