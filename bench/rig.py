"""One run: calls come up through a bridge and talk, are measured, and are asked whether everything arrived."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from bench import calls
from bench.bridges import Bridge, Place
from bench.gauges import Gauges
from bench.metronome import Metronome
from bench.model import Model, ModelSession
from bench.phone import Phone
from bench.processes import Usage, resident_bytes
from bench.result import Counts, Memory, Result
from bench.script import Script
from bench.table import Table
from local.process import HOST

_FIRST_CALLS: Final = 2  # they load what a bridge loads when it is first needed
_SETTLED_S: Final = 1
_ARRIVED_WITHIN_S: Final = 5
_LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True)
class Plan:
    """How a run goes: `calls` at once, measured for `seconds` after a warm-up; then `sockets` opened for themselves."""

    calls: int
    seconds: float
    warm_up_s: float
    sockets: int
    script: Script = field(default_factory=Script)


class Rig:
    """Both ends of all calls of one run."""

    def __init__(self, name: str, bridge: Bridge, plan: Plan) -> None:
        self._name = name
        self._bridge = bridge
        self._port = bridge.line.port
        self._plan = plan
        self._gauges = Gauges()
        self._model = Model(plan.script, self._gauges)
        self._table = Table(self._gauges)
        self._phones: list[Phone] = []
        self._sessions: list[ModelSession] = []

    async def run(self, place: Place) -> Result:
        """Raises `RunFailedError` when calls do not come up or do not end."""
        servers = [await self._model.serve(HOST, place.model_port), await self._table.serve(HOST, place.table_port)]
        try:
            return await self._run()
        finally:
            for server in servers:
                server.close()
            self._table.abort()
            for end in [*self._phones, *self._model.sessions]:
                end.abort()
            await asyncio.sleep(_SETTLED_S)  # or the loop would end before they are gone

    async def _run(self) -> Result:
        idle = await self._first_calls()
        self._phones = [self._phone(number, self._gauges) for number in range(self._plan.calls)]
        metronome = Metronome(self._phones, self._gauges)
        metronome.start()
        with _without_garbage_collection():
            memory, used = await self._measure(idle)
        counts = await self._fall_silent()
        metronome.stop()
        await calls.end(self._phones)
        sockets = [self._phone(number, Gauges()) for number in range(self._plan.sockets)]
        sockets_per_second = await calls.open_sockets(sockets, self._port)
        for socket in sockets:
            socket.abort()
        return Result.of(self._name, self._gauges, used, memory, counts, sockets_per_second)

    async def _first_calls(self) -> int:
        """Makes the bridge's first calls; its resident memory after them."""
        phones = [self._phone(self._plan.calls + number, Gauges()) for number in range(_FIRST_CALLS)]
        await calls.bring_up(phones, self._port)
        await calls.end(phones)
        await asyncio.sleep(_SETTLED_S)
        return resident_bytes(self._bridge.pid)

    async def _measure(self, idle: int) -> tuple[Memory, Usage]:
        half_of_them, pid = self._plan.calls // 2, self._bridge.pid
        first_session = len(self._model.sessions)
        await calls.bring_up(self._phones[:half_of_them], self._port)
        await asyncio.sleep(_SETTLED_S)
        half = resident_bytes(pid)
        await calls.bring_up(self._phones[half_of_them:], self._port)
        self._sessions = self._model.sessions[first_session:]
        await asyncio.sleep(self._plan.warm_up_s)
        before = Usage.now(pid)
        self._gauges.recording = True
        await asyncio.sleep(self._plan.seconds)
        self._gauges.recording = False
        used = Usage.now(pid).since(before)
        return Memory(idle, half, resident_bytes(pid), half_of_them, self._plan.calls), used

    def _phone(self, number: int, gauges: Gauges) -> Phone:
        sessions = self._model.sessions
        return Phone(number, self._bridge.line, gauges, lambda serial: sessions[serial].interrupted_ns)

    async def _fall_silent(self) -> Counts:
        """Stops both sides from talking, and gives what is still on its way some time to arrive."""
        for phone in self._phones:
            phone.talking = False
        for session in self._sessions:
            session.fall_silent()
        deadline = asyncio.get_running_loop().time() + _ARRIVED_WITHIN_S
        while True:
            counts = Counts.of(self._phones, self._sessions, self._gauges)
            if counts.all_arrived or asyncio.get_running_loop().time() > deadline:
                return counts
            await asyncio.sleep(_LOOK_EVERY_S)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Keeps the rig's own pauses out of what is measured."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
