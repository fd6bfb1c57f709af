"""A call on real sockets whose caller waits for a person; the escalation's record is in the table."""

import asyncio
from datetime import UTC, datetime

import pytest

from local.model import CallTool, Say
from shared.calls.ending import CallEnd
from shared.calls.store import RecordedEnd
from shared.escalations.request import Escalation
from shared.escalations.store import EscalationStore
from tests.worker.conftest import CALL_SID, Phone, Rig, RigFactory
from tests.worker.greeted import GREETING, greeted, played_ms

ASKED = CallTool("escalate_to_human", {"reason": "lost key", "summary": "Locked out of room 12."})
SENT = Say("Somebody has been told.", ms=300)
COMING = Say("Maria will join.", ms=500)
JOINS = Say("Maria is joining you now.", ms=700)
TOLD_MS = 400 + 300  # the greeting, and the message that somebody was alerted
TRANSFERRED = RecordedEnd(CallEnd.TRANSFERRED, {"reason": "person_ready", "escalation_id": f"{CALL_SID}-1"})


async def _asked(running: Rig, phone: Phone) -> None:
    """The caller has asked for a person, and the alerts function has recorded the escalation."""
    await greeted(phone)
    await phone.speak()
    await phone.wait(lambda: played_ms(phone.of("media")) == TOLD_MS)
    await phone.hear_all()
    (message,) = running.queue_messages()
    running.escalations.upsert(Escalation.model_validate(message), datetime.now(UTC))


def _accept(escalations: EscalationStore) -> None:
    now = datetime.now(UTC)
    escalations.change(f"{CALL_SID}-1", lambda record: record.accepted("maria", now, now, name="Maria"))


def _get_ready(escalations: EscalationStore) -> None:
    now = datetime.now(UTC)
    escalations.change(f"{CALL_SID}-1", lambda record: record.ready_on("CA9", "maria", now, now))


async def _instructions(running: Rig, words: str, session: int = 1) -> None:
    """Waits until a response is requested with instructions that contain these words."""
    asked = await running.model.session(session)
    async with asyncio.timeout(20):
        count = 1
        while words not in str((await asked.wait_received("response.create", count))["response"].get("instructions")):
            count += 1


async def test_a_person_takes_the_call_over(rig: RigFactory) -> None:
    """The caller hears who accepted and who joins; only then is the call transferred, and this is recorded."""
    script = (GREETING, ASKED, SENT, COMING, JOINS)
    async with rig(*script, words=("i want a person",)) as running, running.phone() as phone:
        await _asked(running, phone)
        _accept(running.escalations)
        await _instructions(running, "Maria has taken the request")
        await phone.wait(lambda: played_ms(phone.of("media")) == TOLD_MS + 500)
        await phone.hear_all()
        _get_ready(running.escalations)
        await _instructions(running, "Maria is joining now")
        await phone.wait(lambda: played_ms(phone.of("media")) == TOLD_MS + 500 + 700)
        assert running.store.recorded_end(CALL_SID) is None
        await phone.echo_marks()
        await phone.wait_closed()
        assert running.store.recorded_end(CALL_SID) == TRANSFERRED


async def test_the_table_is_away_for_a_while(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is announced meanwhile; when the table works again, the caller joins the waiting person."""
    async with rig(GREETING, ASKED, SENT, JOINS) as running, running.phone() as phone:
        await _asked(running, phone)
        with monkeypatch.context() as away:
            looks = _count_checks(away, running.escalations)
            await phone.wait_for("mark", 1)
            async with asyncio.timeout(20):
                while len(looks) < 2:
                    await asyncio.sleep(0.05)
        assert played_ms(phone.of("media")) == TOLD_MS
        _accept(running.escalations)
        _get_ready(running.escalations)
        await phone.echo_marks()
        await phone.wait_closed()
        assert running.store.recorded_end(CALL_SID) == TRANSFERRED


def _count_checks(away: pytest.MonkeyPatch, escalations: EscalationStore) -> list[str]:
    """Replaces the table by a missing one; returns a list to which every check is added."""
    checks: list[str] = []
    there = escalations.get

    def check(escalation_id: str) -> object:
        checks.append(escalation_id)
        return there(escalation_id)

    away.setattr(escalations, "_table_name", "no-table")
    away.setattr(escalations, "get", check)
    return checks


async def test_another_worker_hands_over(rig: RigFactory) -> None:
    """If the worker dies while a person is on the way, the next worker connects the caller to them."""
    async with rig(GREETING, ASKED, SENT, COMING, Say("Sorry.", ms=100), otherwise=[JOINS]) as running:
        async with running.phone() as phone:
            await _asked(running, phone)
            _accept(running.escalations)
            await _instructions(running, "Maria has taken the request")
            await phone.wait(lambda: played_ms(phone.of("media")) == TOLD_MS + 500)
            phone.stream.transport.abort()
        # As `/stream-ended` does, so that a late record of the lost worker is refused.
        count = running.store.try_resume(CALL_SID, limit=3)
        async with running.phone() as phone:
            await phone.start(resumed="lost", resumptions=str(count))
            _get_ready(running.escalations)
            await _instructions(running, "Maria is joining now", 2)
            await phone.echo_marks()
            await phone.wait_closed()
            assert running.store.recorded_end(CALL_SID) == TRANSFERRED


async def test_back_from_a_person(rig: RigFactory) -> None:
    """The agent knows to whom the caller has spoken."""
    async with rig(GREETING, ASKED, SENT, otherwise=[JOINS]) as running:
        async with running.phone() as phone:
            await _asked(running, phone)
            _accept(running.escalations)
            _get_ready(running.escalations)
            await phone.echo_marks()
            await phone.wait_closed()
        now = datetime.now(UTC)
        running.escalations.change(f"{CALL_SID}-1", lambda record: record.connected(now, now))
        assert running.store.try_return(CALL_SID) is not None
        async with running.phone() as phone:
            await phone.start(resumed="returned")
            await _instructions(running, "Maria, who has spoken to them, has left", 2)
