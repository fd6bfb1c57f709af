"""The client end of a WebSocket."""

import asyncio
import functools
import ssl
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.uri import parse_uri

from worker.websocket.connection import Limits, WebSocket


class HandshakeFailed(Exception):
    """The peer answered but opened no WebSocket; `status` is its HTTP status, if it sent one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


async def connect(
    url: str, headers: Mapping[str, str], limits: Limits, trust: ssl.SSLContext | None = None
) -> "ClientSocket":
    """Opens a socket to a `ws` or `wss` URL; `trust` replaces the system's certificate authorities.

    Raises:
        HandshakeFailed: when the peer refused.
        OSError: when there was no answer; `TimeoutError` when none came within `limits.open_s`.
    """
    uri = parse_uri(url)
    loop = asyncio.get_running_loop()
    tls = (trust or _system_trust()) if uri.secure else None

    def client() -> ClientSocket:
        return ClientSocket(ClientProtocol(uri, max_size=limits.message_bytes), headers, limits)

    async with asyncio.timeout(limits.open_s):
        _, socket = await loop.create_connection(client, uri.host, uri.port, ssl=tls)
        try:
            await socket.opened
        except BaseException:
            socket.abort()
            raise
    return socket


@functools.cache
def _system_trust() -> ssl.SSLContext:
    """Created once, because loading all authorities' certificates blocks the event loop."""
    return ssl.create_default_context()


class ClientSocket(WebSocket):
    """The client end. It is open when `opened` is done."""

    def __init__(self, protocol: ClientProtocol, headers: Mapping[str, str], limits: Limits) -> None:
        super().__init__(protocol, limits)
        self._client = protocol
        self._headers = headers
        self.opened: asyncio.Future[None] = self._loop.create_future()

    def _begin(self) -> None:
        request = self._client.connect()
        request.headers.update(self._headers)
        self._client.send_request(request)

    def _on_handshake(self) -> None:
        self._client.events_received()
        if (failure := self._client.handshake_exc) and not self.opened.done():
            status = failure.response.status_code if isinstance(failure, InvalidStatus) else None
            self.opened.set_exception(HandshakeFailed(type(failure).__name__, status))

    def _on_open(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            super().connection_lost(exc)
        finally:
            if not self.opened.done():
                self.opened.set_exception(exc or ConnectionResetError("closed during the handshake"))
