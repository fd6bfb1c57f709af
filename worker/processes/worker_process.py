"""One of the worker's processes, as the front knows it."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

from shared.logs import logger
from worker.processes.channel import Status, Statuses, send_connection

# It reports four times a second at least. One that is late has a loop that is late, and its calls hear that.
_MOST_LOOKS_IN_SILENCE: Final = 2

_log = logger("worker")


class WorkerProcess:
    """Runs from `start` on; is up once it has said that it takes connections, until it ends or closes its channel."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket, heard: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._channel = channel
        self._heard = heard
        self._statuses = Statuses()
        self._status: Status | None = None
        self._handed = 0
        self._up_at: float | None = None  # by the loop's clock
        self.looks_in_silence = 0  # since it last reported; it is for the front to look, and to count
        self._loop.add_reader(channel, self._listen)

    @classmethod
    async def start(
        cls, command: Sequence[str], heard: Callable[[], None], secrets: Mapping[str, str] | None = None
    ) -> Self:
        """Starts `command` with a descriptor of its own as the last argument; `heard` is called whenever it reports.

        It gets the environment of this process, and `secrets`, which are not in that any more.

        Raises:
            OSError: when the system has no room for one more.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003 - as the standard library has it
        descriptor = theirs.fileno()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    str(descriptor),
                    pass_fds=[descriptor],
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, **(secrets or {})},
                )
        except BaseException:
            ours.close()
            raise
        return cls(process, ours, heard)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def calls(self) -> int:
        return self._status.calls if self._status else 0

    @property
    def is_up(self) -> bool:
        """Whether it may be handed connections."""
        return self._up_at is not None and self._channel.fileno() >= 0

    @property
    def up_s(self) -> float:
        """Since it has been up; 0 if it never was."""
        return 0 if self._up_at is None else self._loop.time() - self._up_at

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """The lowest is the first to get a connection: one that takes calls, has few, and has been given few.

        Connections are counted, since the front knows of each at once; among as many, those that are calls.
        """
        if not self._status:
            return True, 0, 0, 0
        on_their_way = self._handed - self._status.taken
        refuses = not self._status.takes_calls or self.looks_in_silence > _MOST_LOOKS_IN_SILENCE
        return refuses, on_their_way + self._status.open, self._status.calls, self._handed

    def hand(self, connection: socket.socket) -> bool:
        """Hands a connection over, of which the caller's own descriptor is to be closed; False if it has no room."""
        try:
            send_connection(self._channel, connection)
        except OSError:
            return False  # full, or gone: then the reader hears of that
        self._handed += 1
        return True

    def leave(self) -> None:
        """Tells it to drain and end."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self) -> int:
        """Waits for its end; its exit status, below zero for a signal's number."""
        status = await self._process.wait()
        self._hang_up()
        return status

    def _listen(self) -> None:
        try:
            status = self._statuses.newest(self._channel)
        except BlockingIOError:
            return
        except EOFError:
            self._hang_up()
            return
        self.looks_in_silence = 0
        if status:
            self._status = status
            if self._up_at is None:
                self._up_at = self._loop.time()
                _log.info("process up", child=self.pid)
            self._heard()

    def _hang_up(self) -> None:
        """What was handed over and not taken is lost with it."""
        if self._channel.fileno() >= 0:
            self._loop.remove_reader(self._channel)
            self._channel.close()
