"""The workers of a stack: processes with names, of which any may be started, killed or told to leave by itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from local.process import Process

Making = Callable[[Mapping[str, str]], Process]


class Workers:
    """`make` gives a worker's process for variables on top of its usual environment; `tell` gets the ports of those
    that may be sent streams, whenever they change.
    """

    def __init__(self, make: Making, tell: Callable[[Sequence[int]], None]) -> None:
        self._make = make
        self._tell = tell
        self._running: dict[str, Process] = {}

    def __getitem__(self, name: str) -> Process:
        return self._running[name]

    @property
    def names(self) -> list[str]:
        """Those that were started and not stopped, oldest first."""
        return list(self._running)

    async def start(self, name: str, environ: Mapping[str, str] | None = None) -> None:
        """Starts a worker and waits until it takes calls; raises `NotReadyError`."""
        process = self._make(environ or {})
        await asyncio.to_thread(process.start, "/health")
        self._running[name] = process
        self._changed()

    async def stop(self, name: str) -> None:
        """Ends a worker politely, and waits for it."""
        process = self._running.pop(name)
        await asyncio.to_thread(process.stop)
        self._changed()

    async def kill(self, name: str) -> None:
        """Ends a worker with SIGKILL, as a lost host does. Whoever sends it streams finds out by itself."""
        await asyncio.to_thread(self._running.pop(name).kill)

    async def replace(self, name: str, by: str) -> None:
        """Starts another worker, then tells this one to leave (SIGTERM) and waits until it has, as a deploy does."""
        await self.start(by)
        await asyncio.to_thread(self._running[name].leave)
        del self._running[name]
        self._changed()

    async def stop_all(self) -> None:
        """Ends them all."""
        for name in self.names:
            await self.stop(name)

    def _changed(self) -> None:
        self._tell([process.port for process in self._running.values()])
