"""What one run has found out about a bridge, ready to be written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from bench.gauges import Gauges, Spread
from bench.model import ModelSession
from bench.phone import Phone
from bench.processes import Usage
from bench.rig import Conditions


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
        """The slope between half and all of the calls, free of what is there once for all."""
        return (self.full - self.half) / max(1, self.calls - self.calls_at_half) / 1024


@dataclass(frozen=True)
class Counts:
    """What was sent in a whole run, and what of it arrived at the right end, once and in order."""

    frames_sent: int
    frames_arrived: int
    deltas_sent: int
    deltas_arrived: int
    interruptions: int
    clears: int
    marks_echoed: int
    strays: int
    disordered: int
    calls_lost: int
    refusals: int
    sessions_stood: int = 0  # calls whose session was ready before the stream was asked for

    @classmethod
    def of(cls, phones: Sequence[Phone], sessions: Sequence[ModelSession], gauges: Gauges) -> Self:
        """Counts at both ends of the calls, while these still stand."""
        ears = [*(phone.hearing for phone in phones), *(session.hearing for session in sessions)]
        by_serial = {session.serial: session for session in sessions}
        paired = sum(_are_paired(phone, by_serial) for phone in phones)
        return cls(
            frames_sent=sum(phone.traceable for phone in phones),
            frames_arrived=sum(session.hearing.arrived for session in sessions),
            deltas_sent=sum(session.deltas_sent for session in sessions),
            deltas_arrived=sum(phone.hearing.arrived for phone in phones),
            interruptions=sum(session.interruptions for session in sessions),
            clears=sum(phone.clears for phone in phones),
            marks_echoed=sum(phone.marks_echoed for phone in phones),
            strays=sum(ear.strays for ear in ears) + len(phones) - paired,
            disordered=sum(ear.disordered for ear in ears),
            calls_lost=sum(_is_lost(phone, by_serial) for phone in phones),
            refusals=gauges.refusals,
            sessions_stood=sum(_stood(phone, by_serial) for phone in phones),
        )

    @property
    def all_arrived(self) -> bool:
        sent = self.frames_sent, self.deltas_sent, self.interruptions
        return sent == (self.frames_arrived, self.deltas_arrived, self.clears)

    @property
    def faults(self) -> list[str]:
        """What should not be, in words."""
        found = {
            "media frames lost": self.frames_sent - self.frames_arrived,
            "pieces of the agent's audio lost": self.deltas_sent - self.deltas_arrived,
            "interruptions without a clear": self.interruptions - self.clears,
            "strays from other calls": self.strays,
            "pieces of audio out of order": self.disordered,
            "calls lost": self.calls_lost,
            "requests refused by the model": self.refusals,
        }
        return [f"{count} {what}" for what, count in found.items() if count]


def _heard(phone: Phone, by_serial: Mapping[int, ModelSession]) -> ModelSession | None:
    return None if phone.hearing.peer is None else by_serial.get(phone.hearing.peer)


def _stood(phone: Phone, by_serial: Mapping[int, ModelSession]) -> bool:
    session = _heard(phone, by_serial)
    return session is not None and session.ready_ns is not None and session.ready_ns < phone.dialled_ns


def _is_lost(phone: Phone, by_serial: Mapping[int, ModelSession]) -> bool:
    """Whether either end of a call is gone before its time."""
    session = _heard(phone, by_serial)
    return phone.closed.done() or (session is not None and session.closed.done())


def _are_paired(phone: Phone, by_serial: Mapping[int, ModelSession]) -> bool:
    """Whether both ends of a call have heard each other."""
    session = _heard(phone, by_serial)
    return session is not None and session.hearing.peer == phone.number


@dataclass(frozen=True)
class Result:
    """The figures of one run; latencies in ms, processor time as a share of one core."""

    bridge: str
    calls: int
    tls: bool  # towards the model
    model_away_ms: float  # and back
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
        """Sums a run up."""
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
