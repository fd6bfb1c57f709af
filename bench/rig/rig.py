"""Both ends of all calls through one bridge, and the measurements between them."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self

from bench.contenders.bridges import Bridge, Place, Starter
from bench.report.table import table
from bench.rig import calls
from bench.rig.clicks import Calls
from bench.rig.gauges import Gauges
from bench.rig.metronome import Metronome
from bench.rig.model import Distance, Model, ModelSession, Script
from bench.rig.phone import Phone
from bench.rig.processes import Usage, resident_bytes
from local.stack.process import HOST

SETTLED_S: Final = 1
_FIRST_CALLS: Final = 2  # they make a bridge load what it loads at first use


@dataclass(frozen=True)
class Conditions:
    """The model's TLS and distance, and whether audio is followed by clicks because the bridge destroys stamps."""

    tls: bool = False
    distance: Distance = field(default_factory=Distance)
    clicks: bool = False
    script: Script = field(default_factory=Script)


class Rig:
    """Must be created inside a running event loop; its phones can call inside `driving`."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self.gauges = Gauges()
        self._clicks = Calls() if conditions.clicks else None
        new_session = self._clicks.session if self._clicks else ModelSession
        self._model = Model(conditions.script, self.gauges, conditions.distance, new_session)
        self._metronome = Metronome(self.gauges)
        self._phones: list[Phone] = []
        self._bridge: Bridge

    @classmethod
    @asynccontextmanager
    async def driving(cls, start: Starter, place: Place, conditions: Conditions) -> AsyncIterator[Self]:
        """A rig with a running bridge; the model already serves while the bridge starts."""
        rig = cls(conditions)
        async with rig._serving(place):
            running = start(conditions.tls)
            rig._bridge = await asyncio.to_thread(running.__enter__)
            try:
                yield rig
            finally:
                await asyncio.to_thread(running.__exit__, None, None, None)

    @asynccontextmanager
    async def _serving(self, place: Place) -> AsyncIterator[None]:
        tls = place.certificate.server if self.conditions.tls else None
        model = await self._model.serve(HOST, place.model_port, tls)
        self._metronome.start()
        gc.disable()  # so that the rig's own pauses are not measured
        try:
            async with table(self.gauges, place.table_port):
                yield
        finally:
            gc.enable()
            self._metronome.stop()
            model.close()
            for end in [*self._phones, *self._model.sessions]:
                end.abort()
            await asyncio.sleep(SETTLED_S)  # or the loop would end before they are closed

    @property
    def port(self) -> int:
        return self._bridge.line.port

    @property
    def sessions(self) -> list[ModelSession]:
        """All sessions of the model so far, by serial."""
        return self._model.sessions

    def phones(self, count: int, gauges: Gauges | None = None) -> list[Phone]:
        """New phones on the metronome; with separate `gauges` they are not part of the measurement."""
        new = [self._phone(len(self._phones) + number, gauges or self.gauges) for number in range(count)]
        for phone in new:
            self._metronome.add(phone)
        self._phones += new
        return new

    def _phone(self, number: int, gauges: Gauges) -> Phone:
        sessions = self._model.sessions
        new_phone = self._clicks.phone if self._clicks else Phone
        return new_phone(number, self._bridge.line, gauges, lambda serial: sessions[serial].interrupted_ns)

    async def first_calls(self) -> None:
        """Makes the bridge's first calls."""
        phones = self.phones(_FIRST_CALLS, Gauges())
        await calls.bring_up(phones, self.port)
        await calls.end(phones)
        await asyncio.sleep(SETTLED_S)

    async def record(self, seconds: float) -> Usage:
        """Records samples for `seconds`; returns the CPU usage in that time."""
        before = self.usage()
        self.gauges.recording = True
        await asyncio.sleep(seconds)
        self.gauges.recording = False
        return self.usage().since(before)

    def usage(self) -> Usage:
        """The CPU usage until now."""
        return Usage.now(self._bridge.pid)

    def resident_bytes(self) -> int:
        """The bridge's resident memory, in bytes."""
        return resident_bytes(self._bridge.pid)
