"""The floor, the baseline: a bridge that only forwards bytes. `python -m bench.contenders.floor PORT`.

It handles only the rig's own messages. Its cost is that of two sockets in Python; the latency that it adds is the
rig's and the kernel's share in every other bridge's figures.
"""

import asyncio
import http
import os
import ssl
import sys
from typing import Final
from urllib.parse import urlsplit

import uvloop
from websockets.client import ClientProtocol
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from bench.rig.websocket import WebSocket
from local.stack.process import HOST

HTTPS_PORT: Final = 443
_PAYLOAD: Final = b'"payload":'
_DELTA: Final = b'"delta":'
_STREAM_SID: Final = b'"streamSid":'
_SESSION: Final = b'{"type":"session.update","session":{"type":"realtime"}}'
_SPEAK: Final = b'{"type":"response.create"}'


class ModelEnd(WebSocket):
    """The socket to the model."""

    def __init__(self, phone: "PhoneEnd", model_url: str) -> None:
        super().__init__(ClientProtocol(parse_uri(f"ws{model_url.removeprefix('http')}/realtime?model=floor")))
        self._phone = phone

    def receives(self, message: bytes) -> None:
        kind = message[:60]
        if b"output_audio.delta" in kind:
            self._phone.play(_quoted(message, _DELTA))
        elif b"speech_started" in kind:
            self._phone.clear()
        elif b"session.created" in kind:
            self.send(_SESSION)
        elif b"session.updated" in kind:
            self._phone.model_is_ready(self)
            self.send(_SPEAK)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._phone.abort()  # no more audio will come


class PhoneEnd(WebSocket):
    """The socket from the phone."""

    def __init__(self, model_url: str, trust: ssl.SSLContext | None) -> None:
        super().__init__(ServerProtocol())
        self._model_url = model_url
        self._trust = trust
        self._opened: ModelEnd | None = None
        self._model: ModelEnd | None = None  # `_opened`, once the session is ready
        self._connecting: asyncio.Task[object] | None = None
        self._early: list[bytes] = []
        self._stream_sid = b""
        self._marks = 0

    def answer(self, handshake: ServerProtocol, request: Request) -> Response:
        if request.path == "/health":
            return handshake.reject(http.HTTPStatus.OK, "ok\n")
        return handshake.accept(request)

    def receives(self, message: bytes) -> None:
        if _PAYLOAD in message:
            append = b'{"type":"input_audio_buffer.append","audio":%b}' % _quoted(message, _PAYLOAD)
            if self._model is None:
                self._early.append(append)
            else:
                self._model.send(append)
        elif b'"start"' in message:
            self._stream_sid = _quoted(message, _STREAM_SID)
            self._connecting = asyncio.create_task(self._connect())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._model is not None:
            self._model.close()
        elif self._opened is not None:
            self._opened.abort()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        port = urlsplit(self._model_url).port or HTTPS_PORT
        try:
            _, self._opened = await loop.create_connection(
                lambda: ModelEnd(self, self._model_url), HOST, port, ssl=self._trust
            )
        except OSError as failure:  # includes TLS errors
            sys.stderr.write(f"cannot reach the model: {failure}\n")
            self.abort()

    def model_is_ready(self, model: ModelEnd) -> None:
        self._model = model
        for append in self._early:
            model.send(append)
        self._early.clear()

    def play(self, payload: bytes) -> None:
        self._marks += 1
        self.send(b'{"event":"media","streamSid":%b,"media":{"payload":%b}}' % (self._stream_sid, payload))
        self.send(b'{"event":"mark","streamSid":%b,"mark":{"name":"%d"}}' % (self._stream_sid, self._marks))

    def clear(self) -> None:
        self.send(b'{"event":"clear","streamSid":%b}' % self._stream_sid)


def _quoted(message: bytes, name: bytes) -> bytes:
    """The string that follows `name`, with its quotes."""
    start = message.index(name) + len(name)
    return message[start : message.index(b'"', start + 1) + 1]


async def _serve(port: int, model_url: str) -> None:
    tls = ssl.create_default_context() if model_url.startswith("https:") else None
    server = await asyncio.get_running_loop().create_server(lambda: PhoneEnd(model_url, tls), HOST, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), os.environ["OPENAI_BASE_URL"]))
