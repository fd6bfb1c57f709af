"""The front of a worker of several processes: has the port, and sees to it that each connection finds a process.

Not SO_REUSEPORT, by which the kernel spreads connections blindly: one process may then refuse calls while another is
idle, and what waits for a process that dies is lost.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from socket import AF_INET6, create_server, has_dualstack_ipv6, socket
from typing import Final

from shared.logs import logger, metric
from worker.active_calls import CallsWatch
from worker.faults import supervised
from worker.processes.worker_process import WorkerProcess
from worker.settings import WorkerSettings

FROM_FRONT: Final = "--from-front"
COMMAND: Final = (sys.executable, "-m", "worker", FROM_FRONT)

# Calls of a whole worker that has died come all at once.
_BACKLOG: Final = 1024
_AFTER_A_FAULT_S: Final = 1.0
# Before a process is started again: after the first, second, … that did not live long.
_PAUSES_S: Final = (1.0, 5.0, 15.0, 60.0)
_LONG_S: Final = 60.0
_LOOK_EVERY_S: Final = 1.0
# A worker that is alone would have failed its container's health checks by then.
_HUNG_LOOKS: Final = 45
# Of one that was told to leave: it may have ended by the signal itself, before or after the time in which it minds it.
_AS_TOLD: Final = (0, -signal.SIGTERM, -signal.SIGINT)

_log = logger("worker")


class ProcessesFailed(Exception):
    """None of the processes came up."""


class Front:
    """Hands connections over from `run` on. `watches` go by the number of calls in all processes."""

    def __init__(
        self, settings: WorkerSettings, watches: Sequence[CallsWatch] = (), command: Sequence[str] = COMMAND
    ) -> None:
        self._settings = settings
        self._watches = watches
        self._command = command
        self._processes: set[WorkerProcess] = set()
        self._news = asyncio.Event()
        self._have_failed = False

    @property
    def calls(self) -> int:
        """In all processes, as each last said."""
        return sum(process.calls for process in self._processes)

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps the processes running until `stop` is set, then tells them to drain, and returns when all have ended.

        Raises:
            OSError: when it cannot listen.
            ProcessesFailed: when there is none left, and one that was to be the first did not come up.
        """
        with _listen(self._settings.port) as listener:
            _log.info("front ready", port=self._settings.port, processes=self._settings.processes)
            async with asyncio.TaskGroup() as tasks:
                works = [lambda: self._let_in(listener), self._end_those_that_hang]
                works += [partial(watch, lambda: self.calls) for watch in self._watches]
                serving = [tasks.create_task(supervised("front", work)) for work in works]
                await asyncio.gather(*(self._keep_one(stop) for _ in range(self._settings.processes)))
                for task in serving:
                    task.cancel()
        if self._have_failed:
            raise ProcessesFailed("none of its processes came up")

    # Connections

    async def _let_in(self, listener: socket) -> None:
        """While nobody can take a connection one is held here, and the others wait in the kernel."""
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:  # no descriptors left, for example
                _log.error("no connection can be accepted", error=str(error))
                await asyncio.sleep(_AFTER_A_FAULT_S)
                continue
            with connection:
                await self._place(connection)

    async def _place(self, connection: socket) -> None:
        while not any(process.hand(connection) for process in self._by_rank()):
            self._news.clear()
            await self._news.wait()

    def _by_rank(self) -> list[WorkerProcess]:
        return sorted((process for process in self._processes if process.is_up), key=lambda process: process.rank)

    # Processes

    async def _keep_one(self, stop: asyncio.Event) -> None:
        """Starts a process, and another one whenever it has ended, until `stop`; one that runs is told of that."""
        failures = 0
        while not stop.is_set():
            lived_s = await self._run_one(stop)
            failures = 1 if lived_s > _LONG_S else failures + 1
            if not stop.is_set() and not lived_s and not self._processes:
                self._have_failed = True
                stop.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1]):
                    await stop.wait()

    async def _run_one(self, stop: asyncio.Event) -> float:
        """Returns for how many seconds it took connections; 0 if it never did."""
        try:
            process = await WorkerProcess.start(self._command, self._news.set, self._settings.secrets)
        except OSError as error:
            _log.error("a process cannot be started", error=str(error))
            return 0
        self._processes.add(process)
        ended, leave = asyncio.ensure_future(process.ended()), asyncio.ensure_future(stop.wait())
        await asyncio.wait((ended, leave), return_when=asyncio.FIRST_COMPLETED)
        leave.cancel()
        if stop.is_set():
            process.leave()
        status = await ended
        self._processes.discard(process)
        if not stop.is_set() or status not in _AS_TOLD:
            _log.error("process lost", child=process.pid, status=status, calls=process.calls)
            metric("worker", "ProcessesLost")
        return process.up_s

    async def _end_those_that_hang(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for process in self._processes:
                process.looks_in_silence += 1
                if process.looks_in_silence > _HUNG_LOOKS:
                    _log.error("process hangs", child=process.pid)
                    process.kill()


def _listen(port: int) -> socket:
    """On every address of this machine; raises `OSError`."""
    if has_dualstack_ipv6():
        listener = create_server(("", port), family=AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    else:
        listener = create_server(("", port), backlog=_BACKLOG)
    listener.setblocking(False)  # noqa: FBT003 - as the standard library has it
    return listener
