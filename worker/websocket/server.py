"""A server for WebSockets and plain HTTP requests on one port."""

import asyncio
import http
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Self

from websockets.exceptions import InvalidMessage
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from shared.logs import logger
from worker.faults import report_fault
from worker.websocket.connection import Limits, WebSocket

_GOING_AWAY: Final = 1001
_INTERNAL_ERROR: Final = 1011
# When a worker dies, all its calls reconnect at the same time.
_BACKLOG: Final = 1024
# Twilio's requests through CloudFront and a load balancer are less than a quarter of this.
_MAX_HEAD_BYTES: Final = 16 * 1024
_UNREADABLE: Final = "This is not a valid HTTP/1.1 request for a WebSocket.\n"
_TOO_LONG: Final = f"The request's head is longer than {_MAX_HEAD_BYTES} bytes.\n"

_log = logger("worker")


class Answer(NamedTuple):
    """An HTTP answer in place of a WebSocket."""

    status: http.HTTPStatus
    text: str


class ServerSocket(WebSocket):
    """The server end of a WebSocket."""

    def __init__(
        self, protocol: ServerProtocol, limits: Limits, check: Callable[[Request], Answer | None], server: "Server"
    ) -> None:
        super().__init__(protocol, limits)
        self.request: Request
        self._handshake = protocol
        self._answered = False
        self._check = check
        self._server = server

    def _begin(self) -> None:
        self._server.joined(self)

    def _on_handshake(self) -> None:
        protocol = self._handshake
        for request in protocol.events_received():
            if isinstance(request, Request):
                self.request = request
                protocol.send_response(self._response_to(request))
        if not self._answered and not self._ended:
            self._refuse_unreadable()

    def _refuse_unreadable(self) -> None:
        """Refuses bytes that are no HTTP request, or too long, unless the protocol has answered already."""
        protocol = self._handshake
        if isinstance(protocol.handshake_exc, InvalidMessage):
            # The protocol itself would close without an answer.
            self._transport.write(self._refusal(http.HTTPStatus.BAD_REQUEST, _UNREADABLE).serialize())
        elif protocol.handshake_exc:
            self._note_refusal(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._head_bytes > _MAX_HEAD_BYTES:
            protocol.send_response(self._refusal(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LONG))

    def _response_to(self, request: Request) -> Response:
        self._answered = True
        if not all(value.isascii() for _, value in request.headers.raw_items()):
            return self._refusal(http.HTTPStatus.BAD_REQUEST, _UNREADABLE)
        try:
            answer = self._check(request)
        except Exception as fault:  # noqa: BLE001 - only this handshake fails
            report_fault("handshake failed", fault)
            return self._handshake.reject(http.HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error.\n")
        if answer:
            return self._handshake.reject(*answer)
        response = self._handshake.accept(request)
        if response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS:
            self._note_refusal(response.status_code)
        return response

    def _note_refusal(self, status: int) -> None:
        self._answered = True
        _log.warning("handshake refused", status=int(status))

    def _refusal(self, status: http.HTTPStatus, text: str) -> Response:
        self._note_refusal(status)
        return self._handshake.reject(status, text)

    def _on_open(self) -> None:
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            super().connection_lost(exc)
        finally:
            self._server.left(self)


class Server:
    """Passes every request to `check`; if that returns None, opens a socket and passes it to `take`.

    `take` is called in the same turn of the event loop in which the socket opens; its coroutine runs in a task.
    """

    def __init__(
        self,
        check: Callable[[Request], Answer | None],
        take: Callable[[ServerSocket], Coroutine[Any, Any, None]],
        limits: Limits,
    ) -> None:
        self._check = check
        self._take = take
        self._limits = limits
        self.sockets: set[ServerSocket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server

    async def listen(self, port: int, address: str | None = None) -> Self:
        """Listens on `address`, or on all addresses of this machine; raises `OSError`."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._socket, address, port, backlog=_BACKLOG)
        return self

    @property
    def port(self) -> int:
        return int(self._listener.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        return self

    async def wait_idle(self) -> None:
        """Returns when the tasks of all sockets have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def __aexit__(self, *_: object) -> None:
        """Stops listening, closes all sockets, and returns when all their tasks and connections have ended."""
        self._listener.close()
        for socket in list(self.sockets):
            socket.close(_GOING_AWAY)
        if ending := [*self._tasks, *(asyncio.ensure_future(socket.wait_closed()) for socket in self.sockets)]:
            await asyncio.wait(ending)

    # Called by the sockets

    def joined(self, socket: ServerSocket) -> None:
        self.sockets.add(socket)

    def opened(self, socket: ServerSocket) -> None:
        task = asyncio.get_running_loop().create_task(self._handle(socket, self._take(socket)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def left(self, socket: ServerSocket) -> None:
        self.sockets.discard(socket)

    def _socket(self) -> ServerSocket:
        protocol = ServerProtocol(max_size=self._limits.message_bytes)
        return ServerSocket(protocol, self._limits, self._check, self)

    async def _handle(self, socket: ServerSocket, taken: Coroutine[Any, Any, None]) -> None:
        try:
            await taken
        except (Exception, BaseExceptionGroup) as fault:  # noqa: BLE001 - only this socket is closed
            report_fault("socket failed", fault)
            socket.close(_INTERNAL_ERROR)
