"""Counts losses: audio sent at one end of a call must arrive at the other, once and in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bench.rig.gauges import Gauges
from bench.rig.model import ModelSession
from bench.rig.phone import Phone
from bench.rig.stamp import Hearing


def session_of(phone: Phone, sessions: Sequence[ModelSession]) -> ModelSession | None:
    """The model session of a call, if phone and session have heard each other; else None."""
    peer = phone.hearing.peer
    return sessions[peer] if peer is not None and sessions[peer].hearing.peer == phone.number else None


def sessions_of(phones: Sequence[Phone], sessions: Sequence[ModelSession]) -> list[ModelSession]:
    """The sessions that heard one of the phones; a bridge may have opened others earlier, or for later calls."""
    numbers = {phone.number for phone in phones}
    return [session for session in sessions if session.hearing.peer in numbers]


def stands(phone: Phone, sessions: Sequence[ModelSession]) -> bool:
    """Whether both ends of a call are connected."""
    session = session_of(phone, sessions)
    return session is not None and not session.closed.done() and not phone.closed.done()


@dataclass(frozen=True)
class _Way:
    """One direction of a call: how much had been sent, and how much had been skipped."""

    ear: Hearing
    sent: int
    missed: int

    @property
    def lost(self) -> int:
        return self.ear.missed - self.missed + max(0, self.sent - self.ear.reached)


class Arrivals:
    """A snapshot of what these calls have sent in both directions; tells later how much of it was lost."""

    def __init__(self, phones: Sequence[Phone], sessions: Sequence[ModelSession]) -> None:
        self._phones = phones
        self._sessions = sessions
        self._ways: list[_Way] = []
        for phone in phones:
            session = session_of(phone, sessions)
            ear = session.hearing if session else Hearing()  # no session hears this caller
            self._ways.append(_Way(ear, phone.traceable, ear.missed))
            if session:
                self._ways.append(_Way(phone.hearing, session.deltas_sent, phone.hearing.missed))

    @property
    def pieces_lost(self) -> int:
        """Pieces skipped since the snapshot, or sent before it and still missing: seconds late counts as lost."""
        return sum(way.lost for way in self._ways)

    @property
    def calls_lost(self) -> int:
        return sum(not stands(phone, self._sessions) for phone in self._phones)


@dataclass(frozen=True)
class Counts:
    """What was sent in a whole run, and how much of it arrived at the right end, once and in order."""

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
    sessions_stood: int = 0  # calls whose session was ready before the stream's handshake

    @classmethod
    def of(cls, phones: Sequence[Phone], sessions: Sequence[ModelSession], gauges: Gauges) -> Self:
        """Counts at both ends of the calls, while these are still up."""
        heard = sessions_of(phones, sessions)
        ears = [*(phone.hearing for phone in phones), *(session.hearing for session in heard)]
        pairs = [(phone, session) for phone in phones if (session := session_of(phone, sessions))]
        return cls(
            frames_sent=sum(phone.traceable for phone in phones),
            frames_arrived=sum(session.hearing.arrived for session in heard),
            deltas_sent=sum(session.deltas_sent for session in heard),
            deltas_arrived=sum(phone.hearing.arrived for phone in phones),
            interruptions=sum(session.interruptions for session in heard),
            clears=sum(phone.clears for phone in phones),
            marks_echoed=sum(phone.marks_echoed for phone in phones),
            strays=sum(ear.strays for ear in ears) + len(phones) - len(pairs),
            disordered=sum(ear.disordered for ear in ears),
            calls_lost=len(phones) - sum(stands(phone, sessions) for phone in phones),
            refusals=gauges.refusals,
            sessions_stood=sum(
                session.ready_ns is not None and session.ready_ns < phone.dialled_ns for phone, session in pairs
            ),
        )

    @property
    def all_arrived(self) -> bool:
        sent = self.frames_sent, self.deltas_sent, self.interruptions
        return sent == (self.frames_arrived, self.deltas_arrived, self.clears)

    @property
    def faults(self) -> list[str]:
        """The faults found, as text."""
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
