"""A process that the front can start in a worker's place: it tells each socket who it is, and does as it is told.

`/full` and `/die` and `/hang` are HTTP requests to whichever process gets them. Its open sockets are its calls.
"""

import asyncio
import http
import os
import signal
import sys
import time

import uvloop
from websockets.http11 import Request

from worker.processes.from_front import FromFront
from worker.sockets.receiver import SocketLost
from worker.sockets.server import Answer, Server, ServerSocket
from worker.sockets.web_socket import Limits

_LIMITS = Limits(message_bytes=1000, unsent_bytes=100_000, open_s=10)


class Puppet:
    """Drains as long as it has sockets."""

    def __init__(self) -> None:
        self.server = Server(self._check, self._take, _LIMITS)
        self.full = False
        self.calls = 0

    def _check(self, request: Request) -> Answer | None:
        match request.path:
            case "/full":
                self.full = True
            case "/die":
                os._exit(3)
            case "/hang":
                time.sleep(60)
            case _:
                return None
        return Answer(http.HTTPStatus.OK, str(os.getpid()))

    async def _take(self, socket: ServerSocket) -> None:
        self.calls += 1
        socket.send(str(os.getpid()).encode())
        try:
            while True:
                await socket.receive()
        except SocketLost:
            self.calls -= 1

    async def run(self, descriptor: int) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with self.server as server:
            leading = FromFront(descriptor).lead_to(server, lambda: self.calls, lambda: not self.full, stop)
            led = asyncio.create_task(leading)
            await stop.wait()
            self.full = True
            await server.wait_idle()
            led.cancel()


if __name__ == "__main__":
    uvloop.run(Puppet().run(int(sys.argv[-1])))
