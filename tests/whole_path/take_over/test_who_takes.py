"""A person takes a caller by link or by phone; of two at the same time, one gets the caller."""

import asyncio

import pytest

from local.twilio import Answers, Busy, CallReport, Declines, Voicemail
from local.twilio.person import HangUp, Hear, Press, Wait
from shared.escalations.record import Status
from tests.whole_path.acts import Do
from tests.whole_path.conftest import System
from tests.whole_path.take_over.people import (
    ANA,
    BEN,
    CLEO,
    FINN,
    FRENCH_NUMBER,
    GIL,
    PAUL,
    RITA,
    TOM,
    VERA,
    WIM,
    called_back,
    takes,
    talks,
)
from tests.whole_path.take_over.stories import Story, came_to, together, told, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAKEN = [Status.QUEUED, Status.ALERTED, Status.ACCEPTED, Status.CONNECTED, Status.RESOLVED]
PROMISED = [Status.QUEUED, Status.ALERTED, Status.EXPIRED, Status.CALLBACK]


async def test_who_takes_a_caller(system: System) -> None:
    """A tap or a key 1 takes a caller, for one of two simultaneous people; a busy line, a 2 and voicemail do not."""
    await together(
        _by_link(system),
        _by_phone(system),
        _two_taps(system),
        _a_tap_and_a_key(system),
        _nobody_takes_it(system),
        _a_machine_takes_nothing(system),
    )


async def _by_link(system: System) -> None:
    spoken = asyncio.Event()
    system.surroundings.twilio.phones[ANA.phone] = talks(Do(spoken.set))
    async with Story(system, "+15557770301") as story:
        page = await story.taps(ANA)
        assert page.headline == "Your phone rings"
        await story.is_(Status.CONNECTED)
        await spoken.wait()
        report = await story.hang_up()
    record = await story.is_(Status.RESOLVED)
    leg = await story.leg(record)
    assert came_to(record) == TAKEN
    assert (record.person, len(report.streams)) == ("ana", 1)
    assert "Cannot get in." in leg.said[0]
    assert leg.said[-1] == "The caller has left. Thank you. Goodbye."
    _met(report, leg)


async def _by_phone(system: System) -> None:
    """Paul's phone rings, he presses 1, talks and hangs up: the caller returns to the agent."""
    system.surroundings.twilio.phones[PAUL.phone] = talks(Wait(500), HangUp())
    async with Story(system, "+15557770302", FRENCH_NUMBER) as story:
        record = await story.is_(Status.RESOLVED)
        await told(system, "Paul, who has spoken to them, has left")
        await until(lambda: len(story.report.streams) == 2, "the agent")
        report = await story.hang_up()
    assert came_to(record) == TAKEN
    assert record.person == "paul"
    _met(report, await story.leg(record))


async def _two_taps(system: System) -> None:
    spoken = asyncio.Event()
    for person in (BEN, CLEO):
        system.surroundings.twilio.phones[person.phone] = talks(Do(spoken.set))
    async with Story(system, "+15557770303") as story, story.browser() as browser:
        pages = [await browser.open(await story.link(person)) for person in (BEN, CLEO)]
        after = await asyncio.gather(*(browser.tap(page) for page in pages))
        record = await story.is_(Status.CONNECTED)
        winner, loser = (BEN, CLEO) if record.person == "ben" else (CLEO, BEN)
        await spoken.wait()
        report = await story.hang_up()
    record = await story.is_(Status.RESOLVED)
    assert came_to(record) == TAKEN
    assert f"{winner.name} took it" in {page.headline for page in after}
    assert (len(story.rung(winner)), story.rung(loser)) == (1, [])
    _met(report, await story.leg(record))


async def _nobody_takes_it(system: System) -> None:
    """Rita's line is busy, Tom presses 2: a callback is promised."""
    phones = system.surroundings.twilio.phones
    phones[RITA.phone], phones[TOM.phone] = Busy(), Answers(Hear(), Press("2"))
    story = Story.without_a_call(system, "+15557770311", "it")
    record = await story.is_(Status.CALLBACK)
    assert came_to(record) == PROMISED
    assert [step.detail for step in record.history if step.status is Status.ALERTED][0::2] == ["tier 1", "tier 2"]
    [leg] = await story.legs_to(TOM, 1)
    assert leg.said[-1] == "It has been passed on. Thank you. Goodbye."
    for person in (RITA, TOM):
        await story.link(person)


async def _a_machine_takes_nothing(system: System) -> None:
    """Vera's voicemail takes nothing; Wim presses 1. The caller has gone and does not answer: on the callback list."""
    phones = system.surroundings.twilio.phones
    phones[VERA.phone], phones[WIM.phone] = Voicemail(after_ms=500), takes()
    story = Story.without_a_call(system, "+15557770312", "nl")
    phones[story.caller] = Declines(500)
    record = await story.is_(Status.CALLBACK)
    assert came_to(record) == [Status.QUEUED, Status.ALERTED, Status.ACCEPTED, Status.CALLBACK]
    assert {step.person for step in record.history if step.status is Status.ACCEPTED} == {"wim"}
    [machine] = await story.legs_to(VERA, 1)
    assert machine.said[-1] == "No key was pressed. Goodbye."
    [leg] = await story.legs_to(WIM, 1)
    assert leg.said[-1].startswith("The caller could not be reached.")


async def _a_tap_and_a_key(system: System) -> None:
    """Finn presses 1 while Gil taps."""
    phones, at_once = system.surroundings.twilio.phones, asyncio.Event()
    phones[FINN.phone], phones[GIL.phone] = Answers(Hear(), Do(at_once.wait), Press("1"), after_ms=500), takes()
    story = Story.without_a_call(system, "+15557770313", "es")
    phones[story.caller] = called_back()
    async with story.browser() as browser:
        page = await browser.open(await story.link(GIL))
        await until(lambda: any(leg.said for leg in story.rung(FINN)), "words on Finn's phone")
        at_once.set()
        page = await browser.tap(page)
    record = await story.record(lambda record: record.ready)
    if record.person == "finn":
        assert (page.headline, story.rung(GIL)) == ("Finn took it", [])
    else:
        [leg] = await story.legs_to(FINN, 1)
        assert leg.said[-1] == "Gil has taken it. Thank you. Goodbye."
    record = await story.is_(Status.RESOLVED)
    assert came_to(record) == TAKEN


def _met(caller: CallReport, leg: CallReport) -> None:
    """Both were in one conference; before, the caller was with the agent, then heard music until the person joined."""
    [visit], [other] = caller.visits, leg.visits
    assert (visit.label, other.label) == ("caller", "person")
    assert visit.conference_sid == other.conference_sid
    assert None not in (visit.started_at_ms, other.started_at_ms, visit.first_voice_at_ms)
    assert not [*caller.codes, *leg.codes]
