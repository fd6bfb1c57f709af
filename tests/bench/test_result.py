"""Faults are named, and memory is shared out among the calls that it is for."""

import pytest

from bench.gauges import Gauges
from bench.model import Distance, ModelSession
from bench.phone import Line, Phone
from bench.result import Counts, Memory
from bench.script import Script

FINE = {
    "frames_sent": 100,
    "frames_arrived": 100,
    "deltas_sent": 15,
    "deltas_arrived": 15,
    "interruptions": 1,
    "clears": 1,
    "marks_echoed": 16,
    "strays": 0,
    "disordered": 0,
    "calls_lost": 0,
    "refusals": 0,
}


def test_a_run_without_faults_has_nothing_to_say() -> None:
    """All that was sent has arrived."""
    assert Counts(**FINE).all_arrived
    assert Counts(**FINE).faults == []


def test_each_fault_is_told_with_its_count() -> None:
    """Lost both ways, an interruption that was not heard, strays, a lost call."""
    counts = Counts(**{**FINE, "frames_arrived": 98, "deltas_arrived": 14, "clears": 0, "strays": 3, "calls_lost": 1})
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
    """Of two, the other stands."""
    gauges = Gauges()
    phones = [Phone(number, Line(1, lambda _sid: "", ""), gauges, lambda _serial: None) for number in range(2)]
    sessions = [ModelSession(serial, Script(), gauges, Distance()) for serial in range(2)]
    for phone, session in zip(phones, sessions, strict=True):
        phone.hearing.peer, session.hearing.peer = session.serial, phone.number
    {"phone": phones[1], "session": sessions[1]}[gone].closed.set_result(None)
    counts = Counts.of(phones, sessions, gauges)
    assert (counts.calls_lost, counts.strays) == (1, 0)


async def test_a_session_that_stood_before_its_call_is_told_from_one_that_came_after_it() -> None:
    """The first was ready when its stream was asked for, two not yet, the last never."""
    gauges = Gauges()
    phones = [Phone(number, Line(1, lambda _sid: "", ""), gauges, lambda _serial: None) for number in range(4)]
    sessions = [ModelSession(serial, Script(), gauges, Distance()) for serial in range(4)]
    for phone, session, ready_ns in zip(phones, sessions, (1, 3, 3, None), strict=True):
        phone.hearing.peer, phone.dialled_ns, session.ready_ns = session.serial, 2, ready_ns
    assert Counts.of(phones, sessions, gauges).sessions_stood == 1


def test_memory_is_shared_out_among_the_calls_it_is_for() -> None:
    """From none to all, and from half to all."""
    memory = Memory(idle=70 * 1024, half=90 * 1024, full=100 * 1024, calls_at_half=5, calls=10)
    assert (memory.per_call_kib, memory.per_further_call_kib) == (3.0, 2.0)


def test_a_single_call_has_no_half() -> None:
    """Its memory is what it added."""
    memory = Memory(idle=70 * 1024, half=70 * 1024, full=75 * 1024, calls_at_half=0, calls=1)
    assert (memory.per_call_kib, memory.per_further_call_kib) == (5.0, 5.0)
