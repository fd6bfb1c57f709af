"""Losses are counted at both ends of the calls, and listed."""

from dataclasses import replace

import pytest

from bench.rig.arrivals import Counts
from bench.rig.gauges import Gauges
from bench.rig.model import Distance, ModelSession, Script
from bench.rig.phone import Line, Phone
from tests.bench.results import COUNTS


def _calls(count: int) -> tuple[list[Phone], list[ModelSession]]:
    """Both ends of `count` calls, which have heard each other."""
    gauges = Gauges()
    phones = [Phone(number, Line(1, lambda _sid: "", ""), gauges, lambda _serial: None) for number in range(count)]
    sessions = [ModelSession(serial, Script(), gauges, Distance()) for serial in range(count)]
    for phone, session in zip(phones, sessions, strict=True):
        phone.hearing.peer, session.hearing.peer = session.serial, phone.number
    return phones, sessions


def test_a_run_without_faults_has_nothing_to_say() -> None:
    """Everything that was sent has arrived."""
    assert COUNTS.all_arrived
    assert COUNTS.faults == []


def test_each_fault_is_told_with_its_count() -> None:
    """Losses in both directions, an interruption without a clear, strays, a lost call."""
    counts = replace(COUNTS, frames_arrived=98, deltas_arrived=14, clears=0, strays=3, calls_lost=1)
    assert not counts.all_arrived
    assert counts.faults == [
        "2 media frames lost",
        "1 pieces of the agent's audio lost",
        "1 interruptions without a clear",
        "3 strays from other calls",
        "1 calls lost",
    ]


@pytest.mark.parametrize("gone", ["phone", "session"])
async def test_a_call_is_lost_with_either_of_its_ends(gone: str) -> None:
    """Of two calls, the other stays up."""
    phones, sessions = _calls(2)
    {"phone": phones[1], "session": sessions[1]}[gone].closed.set_result(None)
    counts = Counts.of(phones, sessions, Gauges())
    assert (counts.calls_lost, counts.strays) == (1, 0)


async def test_sessions_that_were_ready_before_their_call_are_counted() -> None:
    """The first was ready at its stream's handshake, two later, the last never."""
    phones, sessions = _calls(4)
    for phone, session, ready_ns in zip(phones, sessions, (1, 3, 3, None), strict=True):
        phone.dialled_ns, session.ready_ns = 2, ready_ns
    assert Counts.of(phones, sessions, Gauges()).sessions_stood == 1
