"""The client end, against the server of `websockets`."""

import asyncio
import ssl
import subprocess
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from tests.worker.websocket.conftest import LIMITS, Ear
from worker.websocket.client import HandshakeFailed, connect


async def _echo(peer: ServerConnection) -> None:
    async for message in peer:
        await peer.send(message)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and its self-signed certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *names, "-keyout", key, "-out", made], check=True, capture_output=True)
    made.write_text(made.read_text() + key.read_text())
    return made


async def test_messages_both_ways() -> None:
    """Messages arrive; the handshake has the given headers and offers no compression."""
    async with serve(_echo, "127.0.0.1", 0, max_size=None) as server:
        socket = await connect(f"ws://127.0.0.1:{_port(server)}/path?x=1", {"X-Test": "yes"}, LIMITS)
        (peer,) = server.connections
        assert peer.request is not None
        assert peer.request.path == "/path?x=1"
        assert peer.request.headers["X-Test"] == "yes"
        assert "Sec-WebSocket-Extensions" not in peer.request.headers
        ear = Ear()
        socket.listen(ear)
        for message in [b"", b"short", b"x" * 200, b"y" * 1000]:
            socket.send(message)
        assert await ear.heard(4) == [b"", b"short", b"x" * 200, b"y" * 1000]
        assert socket.is_open
        socket.close()
        assert not socket.is_open
        await socket.wait_closed()
        assert not ear.ends


async def test_messages_in_one_piece_with_the_handshake() -> None:
    """Messages that come with the handshake are delivered when a receiver listens."""

    async def greet(peer: ServerConnection) -> None:
        await peer.send("hello")
        await peer.send("x" * 1000)
        await peer.close(4000)

    async with serve(greet, "127.0.0.1", 0) as server:
        for _ in range(20):
            socket, ear = await connect(f"ws://127.0.0.1:{_port(server)}/", {}, LIMITS), Ear()
            socket.listen(ear)
            assert await ear.end() == 4000
            assert ear.messages == [b"hello", b"x" * 1000]
            await socket.wait_closed()


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY])
async def test_refused(status: HTTPStatus) -> None:
    """The error has the answer's status."""

    def refuse(peer: ServerConnection, _request: Request) -> Response:
        return peer.respond(status, "no\n")

    async with serve(_echo, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(HandshakeFailed) as failure:
            await connect(f"ws://127.0.0.1:{_port(server)}/", {}, LIMITS)
        assert failure.value.status == status


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["no HTTP", "no key"],
)
async def test_invalid_answers(answer: bytes) -> None:
    """An answer that is not a valid handshake opens no socket."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        with pytest.raises(HandshakeFailed) as failure:
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, LIMITS)
        assert failure.value.status is None


async def test_the_server_hangs_up() -> None:
    """A connection that ends during the handshake raises `HandshakeFailed` or `OSError`."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        with pytest.raises((HandshakeFailed, OSError)):
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, LIMITS)


async def test_no_answer() -> None:
    """A server that accepts the connection but does not answer causes a time-out."""
    gone = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            await reader.read()
        gone.set()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        with pytest.raises(TimeoutError):
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, replace(LIMITS, open_s=0.1))
        async with asyncio.timeout(10):
            await gone.wait()


async def test_no_server() -> None:
    """A port without a server raises `OSError`."""
    with pytest.raises(ConnectionRefusedError):
        await connect("ws://127.0.0.1:9/", {}, LIMITS)


async def test_the_connection_breaks() -> None:
    """The receiver is told of the loss, without a code."""

    async def abort(peer: ServerConnection) -> None:
        await peer.recv()
        peer.transport.abort()

    async with serve(abort, "127.0.0.1", 0) as server:
        socket, ear = await connect(f"ws://127.0.0.1:{_port(server)}/", {}, LIMITS), Ear()
        socket.listen(ear)
        socket.send(b"go")
        assert await ear.end() is None


async def test_tls(certificate: Path) -> None:
    """Messages and close frames work over TLS, from either side."""
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=str(certificate))
    async with serve(_echo, "localhost", 0, ssl=offered, max_size=None) as server:
        socket, ear = await connect(f"wss://localhost:{_port(server)}/", {}, LIMITS, trust), Ear()
        socket.listen(ear)
        for message in [b"short", b"x" * 1000]:
            socket.send(message)
        assert await ear.heard(2) == [b"short", b"x" * 1000]
        (peer,) = server.connections
        await peer.close(1001)
        assert await ear.end() == 1001
        await socket.wait_closed()
        other = await connect(f"wss://localhost:{_port(server)}/", {}, LIMITS, trust)
        other.close()
        await other.wait_closed()


async def test_tls_with_a_stranger(certificate: Path) -> None:
    """A certificate that is not trusted by this machine is refused."""
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(certificate)
    async with serve(_echo, "localhost", 0, ssl=offered) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(f"wss://localhost:{_port(server)}/", {}, LIMITS)


def _port(server: object) -> int:
    return int(server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]
