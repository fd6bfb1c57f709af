"""The metrics of an escalation."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.escalations.metrics import record_transition
from shared.escalations.record import EscalationRecord
from tests.escalations import alerts_to, escalation

CREATED = escalation().created_at


def at(seconds: float) -> datetime:
    """So many seconds after the agent asked for a person."""
    return CREATED + timedelta(seconds=seconds)


def metrics(capsys: pytest.CaptureFixture[str], *records: EscalationRecord) -> list[tuple[str, float]]:
    """The metrics written while the record changes from each of these to the next."""
    for before, after in zip((None, *records), records, strict=False):
        record_transition("desk", before, after)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line["service"] == "desk" for line in lines)
    names = [line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] for line in lines]
    return [(name, line[name][0]) for name, line in zip(names, lines, strict=True)]


def test_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Each metric once, whatever else changes meanwhile; a second tier is not a second alert."""
    queued = EscalationRecord.queued(escalation(), at(0.5))
    first = queued.alerted(1, at(1), at(61), alerts_to("maria"))
    second = first.alerted(2, at(61), at(121), alerts_to("ben"))
    accepted = second.accepted("ben", at(71), at(171))
    ready = accepted.ready_on("CA9", "ben", at(75), at(171))
    connected = ready.connected(at(80.5), at(980))
    resolved = connected.call_ended(at(100), 20)
    noted = resolved.resolved("ben", at(110), "Done.")
    assert metrics(capsys, queued, first, second, accepted, ready, connected, resolved, noted) == [
        ("AlertedMs", 1000),
        ("AcceptedMs", 70_000),
        ("ConnectedMs", 9500),
        ("EscalationsResolved", 1),
    ]


def test_nobody_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    """A callback is counted once, even if it fails and the record is on the callback list again."""
    alerted = EscalationRecord.queued(escalation(), at(0)).alerted(1, at(1), at(61), alerts_to("maria"))
    listed = alerted.expired(at(61), "nobody took it")
    taken = listed.accepted("maria", at(101), at(200), callback=True)
    again = taken.callback(at(120), "busy")
    assert metrics(capsys, alerted, listed, taken, again) == [
        ("CallbacksPromised", 1),
        ("EscalationsExpired", 1),
        ("AcceptedMs", 100_000),
    ]


def test_the_caller_has_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """A callback counts too if the escalation did not expire."""
    queued = EscalationRecord.queued(escalation(), at(0))
    assert metrics(capsys, queued, queued.callback(at(2), "gone")) == [("CallbacksPromised", 1)]


def test_nobody_is_on_duty(capsys: pytest.CaptureFixture[str]) -> None:
    """If nobody was alerted, the escalation does not count as expired."""
    queued = EscalationRecord.queued(escalation(), at(0))
    assert metrics(capsys, queued, queued.expired(at(1), "nobody is on duty")) == [("CallbacksPromised", 1)]


def test_a_clock_that_is_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """No duration is negative."""
    queued = EscalationRecord.queued(escalation(created_at=datetime(2027, 1, 1, tzinfo=UTC)), at(0))
    assert metrics(capsys, queued, queued.alerted(1, at(1), at(61))) == [("AlertedMs", 0)]
