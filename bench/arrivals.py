"""Whether calls that go on lose anything: what had been sent by one moment must have arrived by a later one."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.model import ModelSession
from bench.phone import Phone
from bench.stamp import Hearing


def session_of(phone: Phone, sessions: Sequence[ModelSession]) -> ModelSession | None:
    """The session at a call's other end, if both ends have heard each other."""
    peer = phone.hearing.peer
    return sessions[peer] if peer is not None and sessions[peer].hearing.peer == phone.number else None


def stands(phone: Phone, sessions: Sequence[ModelSession]) -> bool:
    """Whether both ends of a call are there."""
    session = session_of(phone, sessions)
    return session is not None and not session.closed.done() and not phone.closed.done()


@dataclass(frozen=True)
class _Way:
    """One way of a call: how much had been sent, and what had been passed over already."""

    ear: Hearing
    sent: int
    missed: int

    @property
    def lost(self) -> int:
        return self.ear.missed - self.missed + max(0, self.sent - self.ear.reached)


class Arrivals:
    """What these calls had sent when this was made, either way; to be asked later what of it is lost."""

    def __init__(self, phones: Sequence[Phone], sessions: Sequence[ModelSession]) -> None:
        self._phones = phones
        self._sessions = sessions
        self._ways: list[_Way] = []
        for phone in phones:
            session = session_of(phone, sessions)
            ear = session.hearing if session else Hearing()  # nobody hears this caller
            self._ways.append(_Way(ear, phone.traceable, ear.missed))
            if session:
                self._ways.append(_Way(phone.hearing, session.deltas_sent, phone.hearing.missed))

    @property
    def pieces_lost(self) -> int:
        """Passed over since then, or sent before it and not there yet: seconds late is as good as lost."""
        return sum(way.lost for way in self._ways)

    @property
    def calls_lost(self) -> int:
        return sum(not stands(phone, self._sessions) for phone in self._phones)
