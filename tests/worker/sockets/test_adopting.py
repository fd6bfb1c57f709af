"""Connections that a server of ours did not accept itself."""

import asyncio
import socket
import struct

from websockets.asyncio.client import connect

from tests.worker.sockets.conftest import host


async def test_adopted() -> None:
    """One is like any other, and as quick to send."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with host() as running:
            port = listener.getsockname()[1]
            connecting = asyncio.ensure_future(connect(f"ws://127.0.0.1:{port}/").__aenter__())
            accepted, _address = await asyncio.to_thread(listener.accept)
            connection = socket.socket(fileno=accepted.detach())  # as it comes out of another process
            running.server.adopt(connection)
            client, adopted = await connecting, await running.socket()
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await client.send("question")
            assert await adopted.receive() == b"question"
            adopted.send(b"answer")
            assert await client.recv() == "answer"
            await client.close()


async def test_adopted_too_late() -> None:
    """One whose peer is gone by then does no harm."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with host() as running:
            with socket.create_connection(listener.getsockname()) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection, _address = listener.accept()
            running.server.adopt(connection)
            async with asyncio.timeout(10):
                await running.server.wait_idle()
                while running.server.sockets:
                    await asyncio.sleep(0.01)
            async with connect(running.url):
                pass
