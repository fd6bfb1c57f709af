"""The results of one run of a bridge."""

from dataclasses import dataclass
from typing import Self

from bench.rig.arrivals import Counts
from bench.rig.gauges import Gauges, Spread
from bench.rig.processes import Usage
from bench.rig.rig import Conditions


@dataclass(frozen=True)
class Memory:
    """The bridge's resident memory in bytes: after its first calls, with half of the calls, and with all of them."""

    idle: int
    half: int
    full: int
    calls_at_half: int
    calls: int

    @property
    def per_call_kib(self) -> float:
        return (self.full - self.idle) / self.calls / 1024

    @property
    def per_further_call_kib(self) -> float:
        """The slope between half and all of the calls, without memory that is used only once."""
        return (self.full - self.half) / max(1, self.calls - self.calls_at_half) / 1024


@dataclass(frozen=True)
class Result:
    """The figures of one run; latencies in ms, processor time as a share of one core."""

    bridge: str
    calls: int
    tls: bool  # to the model
    model_away_ms: float  # round trip
    seconds: float
    cpu_ms_per_call_second: float
    core_percent: float
    phone_to_model: Spread
    model_to_phone: Spread
    speech_started_to_clear: Spread
    start_to_first_audio: Spread
    dialled_to_first_audio: Spread
    memory_kib_per_call: float
    memory_kib_per_further_call: float
    memory_idle_mib: float
    sockets_per_second: float
    table_writes_per_call_minute: float
    counts: Counts
    rig_late: Spread
    rig_core_percent: float
    others_core_percent: float

    @classmethod
    def of(
        cls,
        bridge: str,
        conditions: Conditions,
        gauges: Gauges,
        used: Usage,
        memory: Memory,
        counts: Counts,
        sockets_per_second: float,
    ) -> Self:
        """Computes the results of a run."""
        return cls(
            bridge=bridge,
            calls=memory.calls,
            tls=conditions.tls,
            model_away_ms=round(conditions.distance.round_trip_s * 1000, 1),
            seconds=round(used.at, 2),
            cpu_ms_per_call_second=round(used.bridge_s * 1000 / memory.calls / used.at, 3),
            core_percent=round(100 * used.bridge_s / used.at, 1),
            phone_to_model=Spread.of(gauges.to_model),
            model_to_phone=Spread.of(gauges.to_phone),
            speech_started_to_clear=Spread.of(gauges.clear),
            start_to_first_audio=Spread.of(gauges.first_audio),
            dialled_to_first_audio=Spread.of(gauges.since_dialled),
            memory_kib_per_call=round(memory.per_call_kib, 1),
            memory_kib_per_further_call=round(memory.per_further_call_kib, 1),
            memory_idle_mib=round(memory.idle / 2**20, 1),
            sockets_per_second=round(sockets_per_second),
            table_writes_per_call_minute=round(gauges.writes * 60 / memory.calls / used.at, 1),
            counts=counts,
            rig_late=Spread.of(gauges.late),
            rig_core_percent=used.rig_percent,
            others_core_percent=round(100 * used.others_s / used.at, 1),
        )
