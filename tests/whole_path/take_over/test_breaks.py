"""A take-over fails at each of its steps, on either side: the caller still reaches somebody."""

import asyncio

import pytest

from local.twilio import Answers, Busy, Callee, Declines, NeverAnswers
from local.twilio.person import HangUp, Hear, Press
from shared.escalations.record import EscalationRecord, Status
from tests.whole_path.acts import Do
from tests.whole_path.conftest import System
from tests.whole_path.take_over.people import ANA, BEN, CLEO, DAN, EVA, ZOE, NobodyHome, OnCall, called_back, takes
from tests.whole_path.take_over.stories import Story, came_to, together, told, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLED_BACK = [Status.QUEUED, Status.ALERTED, Status.ACCEPTED, Status.CONNECTED, Status.RESOLVED]
NOT_REACHED = [Status.QUEUED, Status.ALERTED, Status.ACCEPTED, Status.CALLBACK]
CALLING = "The caller has hung up. Calling them back at "


async def test_the_caller_hangs_up(system: System) -> None:
    """Before the tap, while the phone rings, during the summary, while the person waits, and in the conference."""
    await together(
        _gone_before_the_tap(system),
        _gone_while_it_rings(system),
        _gone_during_the_summary(system),
        _gone_while_the_person_waits(system),
        _gone_into_the_conference(system),
    )


async def _gone_before_the_tap(system: System) -> None:
    """Ana reads that the caller hung up, and calls back; the line is busy, and the second attempt is answered."""
    phones = system.surroundings.twilio.phones
    phones[ANA.phone] = takes()
    async with Story(system, "+15557770321") as story:
        await story.is_(Status.ALERTED)
        await story.hang_up()
    phones[story.caller] = Busy()
    async with story.browser() as browser:
        page = await browser.open(await story.link(ANA))
        assert page.headline == "Call the caller back"
        await browser.tap(page)
        record = await story.is_(Status.CALLBACK)
        assert came_to(record) == NOT_REACHED
        [leg] = await story.legs_to(ANA, 1)
        assert leg.said[-1] == "The caller could not be reached. They are on the callback list. Goodbye."
        phones[story.caller] = called_back()
        await browser.tap(await browser.open(page.url))
    record = await story.is_(Status.RESOLVED)
    assert came_to(record) == [*NOT_REACHED, *CALLED_BACK[2:]]
    assert record.person == "ana"


async def _gone_while_it_rings(system: System) -> None:
    """The caller leaves while Ben's phone rings, and cannot be reached afterwards."""
    phones = system.surroundings.twilio.phones
    phones[BEN.phone] = Answers(Hear(), Press("1"), after_ms=6_000)
    async with Story(system, "+15557770322") as story:
        phones[story.caller] = NobodyHome()
        await story.taps(BEN)
        await until(lambda: any(leg.status == "ringing" for leg in story.rung(BEN)), "the ringing")
        await story.hang_up()
    await _is_called(story, BEN, NOT_REACHED)


async def _gone_during_the_summary(system: System) -> None:
    """The caller leaves while Cleo hears the summary; their phone rings too long for her, and she hangs up."""
    phones, gone, enough = system.surroundings.twilio.phones, asyncio.Event(), asyncio.Event()
    phones[CLEO.phone] = Answers(Hear(), Do(gone.wait), Press("1"), Do(enough.wait), HangUp(), after_ms=500)
    async with Story(system, "+15557770323") as story:
        phones[story.caller] = NeverAnswers()
        await story.taps(CLEO)
        await until(lambda: any(leg.said for leg in story.rung(CLEO)), "the summary")
        await story.hang_up()
    gone.set()
    await until(lambda: any(call.status == "ringing" for call in story.calls_back), "the caller's phone")
    enough.set()
    record = await story.record(lambda record: record.leg is None and record.assignee is None)
    # Twilio reports the two phones in any order.
    assert came_to(record)[3:] in ([Status.CALLBACK], [Status.ALERTED])
    assert len(story.calls_back) == 1


async def _gone_while_the_person_waits(system: System) -> None:
    """The caller leaves after Dan has pressed 1; they are called back, and talk."""
    phones = system.surroundings.twilio.phones
    phones[DAN.phone] = takes()
    async with Story(system, "+15557770324") as story:
        phones[story.caller] = called_back()
        await story.taps(DAN)
        await story.record(lambda record: record.ready)
        await story.hang_up()
    await _is_called(story, DAN, CALLED_BACK)


async def _gone_into_the_conference(system: System) -> None:
    """The caller leaves during the hold music; whether Eva has joined by then or not, they talk in the end."""
    phones = system.surroundings.twilio.phones
    phones[EVA.phone] = takes()
    async with Story(system, "+15557770325") as story:
        phones[story.caller] = called_back()
        await story.taps(EVA)
        await story.record(lambda record: record.caller_joined)
        await story.hang_up()
    record = await story.is_(Status.RESOLVED)
    assert came_to(record) == CALLED_BACK
    assert len(await story.legs_to(EVA, 1)) == 1


async def _is_called(story: Story, person: OnCall, statuses: list[Status]) -> None:
    """The person on the phone is told what happened, and the caller's phone rings once."""
    record = await story.is_(statuses[-1])
    assert came_to(record) == statuses
    [leg] = await story.legs_to(person, 1)
    assert any(words.startswith(CALLING) for words in leg.said)
    assert [call.parent_call_sid for call in story.calls_back] == [leg.call_sid]
    assert not leg.visits


async def test_the_person_does_not_come(system: System) -> None:
    """Not to the phone, not past the summary, not to the caller: others may accept, and the agent keeps the caller."""
    await together(
        _does_not_come(system, "+15557770331", ANA, Declines(500)),
        _does_not_come(system, "+15557770332", BEN, Answers(Hear(), HangUp(), after_ms=500)),
        _does_not_come(system, "+15557770333", CLEO, Answers(Hear(), Press("2"), after_ms=500)),
        _waits_no_longer(system),
        _leaves_the_caller_with_the_music(system),
    )


async def _does_not_come(system: System, caller: str, person: OnCall, phone: Callee) -> None:
    system.surroundings.twilio.phones[person.phone] = phone
    async with Story(system, caller) as story:
        await story.taps(person)
        record = await _is_free_again(story, person)
        async with story.browser() as browser:
            for one in (person, EVA):
                assert (await browser.open(await story.link(one))).headline == "A caller is waiting"
        report = await story.hang_up()
    assert came_to(record) == [Status.QUEUED, Status.ALERTED, Status.ACCEPTED, Status.ALERTED]
    assert (len(report.streams), report.visits) == (1, [])


async def _is_free_again(story: Story, person: OnCall) -> EscalationRecord:
    """Nobody of the next tier is alerted, since this tier still has the rest of its five minutes."""
    record = await story.record(
        lambda record: record.status is Status.ALERTED and record.history[-1].person == person.id
    )
    assert (record.tier, record.due_at) == (1, record.tier_ends_at)
    assert {BEN.id, EVA.id} - {person.id} <= set(record.candidates)
    assert not [m for m in story.twilio.messages if m.to == ZOE.phone and story.caller in m.body]
    return record


async def _waits_no_longer(system: System) -> None:
    """Dan has pressed 1 and hangs up before the caller comes."""
    phones, enough = system.surroundings.twilio.phones, asyncio.Event()
    phones[DAN.phone] = takes(Do(enough.wait), HangUp())
    async with Story(system, "+15557770334") as story:
        await story.taps(DAN)
        await story.record(lambda record: record.ready)
        enough.set()
        await _is_free_again(story, DAN)
        await told(system, "Dan could not join after all")
        await story.hang_up()


async def _leaves_the_caller_with_the_music(system: System) -> None:
    """Eva hangs up when the caller is already in the conference: the caller returns to the agent, which knows why."""
    phones, enough = system.surroundings.twilio.phones, asyncio.Event()
    phones[EVA.phone] = takes(Do(enough.wait), HangUp())
    async with Story(system, "+15557770335") as story:
        await story.taps(EVA)
        await story.record(lambda record: record.caller_joined)
        enough.set()
        await told(system, "The caller is back with you: Eva")
        await until(lambda: any(stream.last_audio_ms for stream in story.report.streams[1:]), "the agent's voice")
        report = await story.hang_up()
    [visit] = report.visits
    assert report.first_sound_ms(visit.joined_at_ms) is not None
