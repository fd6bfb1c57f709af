"""When the model fails, the caller hears an apology, and people on call are alerted."""

import asyncio

import pytest

from local.audio.pitch import say
from local.model import Say
from local.model.faults import (
    CloseSocket,
    FailSession,
    Fault,
    IgnoreUpdate,
    RefuseHandshake,
    RejectUpdate,
    WrongFormats,
)
from local.stack.simulation import ON_CALL
from local.twilio import EndedBy
from local.twilio.person import HangUp, Listen
from local.twilio.person import Say as Speak
from shared.calls.ending import CallEnd
from tests.whole_path.acts import Do, Hear
from tests.whole_path.conftest import System

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAMS = 1 + 3  # a call's first, and as many as the template allows to resume it


@pytest.mark.parametrize(
    "fault",
    [RefuseHandshake(401), FailSession(), RejectUpdate(), IgnoreUpdate(), WrongFormats()],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_session_that_is_refused_ends_in_an_apology_and_an_alert(system: System, fault: Fault) -> None:
    """For every refusal: no noise, a spoken apology, a normal end of the call, and an alert."""
    system.surroundings.model.faults.add(fault)
    report = await system.call()
    assert report.ended_by is EndedBy.APPLICATION
    assert not report.codes
    assert not report.streams[0].media
    assert len(report.said) == 1
    assert "sorry" in report.said[0].lower()
    assert system.how_it_ended(report) is CallEnd.FAILED
    assert {to for to, _text in await system.alerted()} == set(ON_CALL)
    escalation = system.kept(report)
    assert escalation is not None
    assert (escalation["reason"], escalation["caller"]) == ("call_failed", report.from_)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_model_that_goes_away_in_the_middle_is_replaced(system: System, reset: bool) -> None:
    """The socket is closed or reset while the agent speaks: another session continues, and the call stays up."""
    system.script(Say("Hello.", ms=600), Say("Once upon a time", ms=6000), Say("there was a hotel.", ms=800))
    going = Do(lambda: system.session.faults.add(CloseSocket(after_ms=2000, reset=reset)))
    report = await system.call(Listen(), going, Speak(say(440)), Listen(), HangUp())
    assert report.ended_by is EndedBy.CALLER
    assert not report.codes
    assert system.how_it_ended(report) is CallEnd.CALLER_HUNG_UP
    told = [
        event.event["item"] for event in system.session.received if event.event["type"] == "conversation.item.create"
    ]
    assert [item["content"][0]["text"] for item in told][:2] == ["Hello.", "440"]
    assert not system.alerts


async def test_a_model_that_stays_away_ends_in_an_apology_and_an_alert(system: System) -> None:
    """Reconnecting fails: after three tries the caller hears an apology."""
    system.script(Say("Hello.", ms=600), Say("Once upon a time", ms=6000))

    def away() -> None:
        system.session.faults.add(CloseSocket(after_ms=2000))
        for _ in range(3):
            system.surroundings.model.faults.add(RefuseHandshake(503))

    report = await system.call(Listen(), Do(away), Speak(say(440)))
    assert report.ended_by is EndedBy.APPLICATION
    assert "sorry" in report.said[0].lower()
    assert system.how_it_ended(report) is CallEnd.FAILED
    assert {to for to, _text in await system.alerted()} == set(ON_CALL)


async def test_a_worker_that_dies_in_the_middle_ends_in_an_apology_and_an_alert(system: System) -> None:
    """No end of the call was recorded, from which the voice function knows what to do."""
    system.script(Say("Hello.", ms=600), Say("Once upon a time", ms=6000))
    async with system.surroundings.stack.other_worker({}):
        dying = Do(lambda: asyncio.to_thread(system.surroundings.stack.worker.kill))
        report = await system.call(Listen(), Speak(say(440)), Hear(500), dying)
    assert report.ended_by is EndedBy.APPLICATION
    assert "sorry" in report.said[-1].lower()
    assert {to for to, _text in await system.alerted()} == set(ON_CALL)
    escalation = system.kept(report)
    assert escalation is not None
    assert [turn["text"] for turn in escalation["transcript"]][:2] == ["Hello.", "440"]


async def test_a_worker_that_is_not_there_still_leaves_the_caller_with_an_answer(system: System) -> None:
    """Twilio cannot open the stream, and fails again when told to retry; then the TwiML has it apologise."""
    async with system.surroundings.stack.other_worker({}):
        await asyncio.to_thread(system.surroundings.stack.worker.stop)
        report = await system.call()
    assert report.codes == [31920] * STREAMS
    assert ["moment" in said.lower() for said in report.said] == [True, True, False]
    assert "sorry" in report.said[-1].lower()
    assert {to for to, _text in await system.alerted()} == set(ON_CALL)
