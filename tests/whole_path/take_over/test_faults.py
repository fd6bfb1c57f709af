"""Twilio's REST API fails or answers late at each step of a take-over; and invalid links."""

import asyncio
import time
from dataclasses import replace

import pytest
from pydantic import SecretStr

from local.demo.browser import NothingToTapError
from local.stack.simulation import PUBLIC_URL
from local.twilio import Answers, Fault
from local.twilio.person import HangUp, Hear, Press
from shared.escalations.record import Status
from shared.on_call.link import LIFE_S, sign
from tests.whole_path.acts import Do
from tests.whole_path.conftest import System
from tests.whole_path.take_over.people import ANA, BEN, CLEO, DAN, JOAO, LIA, OnCall, called_back, takes
from tests.whole_path.take_over.stories import Story, came_to, together, told, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATE = "/Calls.json"
# Longer than the timeout of requests to Twilio (READ_TIMEOUT_S of shared/twilio/rest.py).
LATE_S = 4.0


async def test_a_phone_cannot_be_rung(system: System) -> None:
    """Each tap shows the failure; the tier keeps its time, and a later tap gets the call."""
    story = Story.without_a_call(system, "+15557770341")
    phones = system.surroundings.twilio.phones
    phones[ANA.phone], phones[story.caller] = takes(), called_back()
    async with story.browser() as browser:
        page = await browser.open(await story.link(ANA))
        for fault in (Fault(CREATE, method="POST", status=503), Fault(CREATE, method="POST", closes=True)):
            system.surroundings.twilio.fail(fault)
            page = await browser.tap(page)
            assert page.headline == "A caller is waiting"
            record = await story.is_(Status.ALERTED)
            assert (record.tier, record.due_at, story.rung(ANA)) == (1, record.tier_ends_at, [])
            assert ANA.id in record.candidates
        assert (await browser.tap(page)).headline == "Your phone rings"
    record = await story.is_(Status.RESOLVED)
    assert (record.person, len(story.rung(ANA))) == ("ana", 1)


@pytest.mark.parametrize(("lost", "delay_s"), [(True, 0), (False, LATE_S)], ids=["lost", "late"])
async def test_a_phone_rings_and_nobody_knows(system: System, lost: bool, delay_s: float) -> None:
    """Twilio's answer is lost or late: the person who picks up and presses 1 still gets the caller."""
    story = Story.without_a_call(system, "+15557770342")
    phones, free = system.surroundings.twilio.phones, asyncio.Event()
    phones[BEN.phone] = Answers(Hear(), Do(free.wait), Press("1"), after_ms=500)
    phones[story.caller] = called_back()
    system.surroundings.twilio.fail(Fault(CREATE, method="POST", carried_out=True, closes=lost, delay_s=delay_s))
    page = await story.taps(BEN)
    assert page.headline == "A caller is waiting"
    record = await story.is_(Status.ALERTED)
    assert (record.assignee, record.tier) == (None, 1)
    free.set()
    record = await story.is_(Status.RESOLVED)
    assert (record.person, len(story.rung(BEN))) == ("ben", 1)
    assert came_to(record)[-3:] == [Status.ACCEPTED, Status.CONNECTED, Status.RESOLVED]


async def test_a_tier_cannot_be_alerted(system: System) -> None:
    """If nobody of a tier can be alerted, the next tier is alerted at once."""
    system.surroundings.twilio.fail(Fault(CREATE, method="POST", status=503))
    story = Story.without_a_call(system, "+15557770343", "pt")
    await story.link(LIA)
    record = await story.record(lambda record: record.tier == 2)
    assert (record.status, story.rung(JOAO)) == (Status.ALERTED, [])


async def test_twilio_does_not_say_how_a_call_is(system: System) -> None:
    """Ana waits for a caller who has hung up, and Twilio's status fails or is late: in the end the caller is called."""
    await together(
        _waits(system, "+15557770344", ANA, Fault(method="GET", status=503)),
        _waits(system, "+15557770345", BEN, Fault(method="GET", delay_s=LATE_S, status=503)),
    )


async def _waits(system: System, caller: str, person: OnCall, fault: Fault) -> None:
    story = Story.without_a_call(system, caller)
    fault.path = f"/Calls/{story.call_sid}"
    system.surroundings.twilio.fail(fault)
    phones = system.surroundings.twilio.phones
    phones[person.phone], phones[caller] = takes(), called_back()
    await story.taps(person)
    record = await story.is_(Status.RESOLVED)
    assert came_to(record)[-3:] == [Status.ACCEPTED, Status.CONNECTED, Status.RESOLVED]
    leg = await story.leg(record)
    assert leg.said.count("One moment, please.") >= 3
    assert fault.times == 0


async def test_a_caller_is_not_sent_back(system: System) -> None:
    """Twilio fails, closes the connection before or after the update, or is late: the agent still gets the caller."""
    await together(
        _sent_back(system, "0351", ANA, Fault(status=503)),
        _sent_back(system, "0352", BEN, Fault(closes=True)),
        _sent_back(system, "0353", CLEO, Fault(closes=True, carried_out=True)),
        _sent_back(system, "0354", DAN, Fault(delay_s=LATE_S)),
    )


async def _sent_back(system: System, line: str, person: OnCall, fault: Fault) -> None:
    """On a busy machine the person may meet the caller before they hang up. Then there was nothing to do: once more."""
    for attempt in range(10):  # each by another caller, whose alert is another one
        if await _is_left_alone(system, f"+155578{attempt}{line}", person, fault):
            return
    raise AssertionError(f"{person.name} always met the caller")


async def _is_left_alone(system: System, caller: str, person: OnCall, fault: Fault) -> bool:
    """The person hangs up while the caller enters the conference; False if the two were connected before."""
    enough = asyncio.Event()
    system.surroundings.twilio.phones[person.phone] = takes(Do(enough.wait), HangUp())
    async with Story(system, caller) as story:
        fault.path, fault.method = f"/Calls/{story.call_sid}", "POST"
        system.surroundings.twilio.fail(fault)
        await story.taps(person)
        await story.record(lambda record: record.caller_joined)
        enough.set()
        await until(lambda: len(story.report.streams) == 2, "the agent")
        record = await story.record(lambda record: record.assignee is None or record.status is Status.CONNECTED)
        met = Status.CONNECTED in came_to(record)
        if not met:
            await told(system, f"The caller is back with you: {person.name}")
        report = await story.hang_up()
    if met:
        return False
    assert (fault.times, len(report.visits)) == (0, 1)
    return True


async def test_links_that_open_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Altered, from another stack, of a person not on call, of another escalation, or too old: nothing happens."""
    story, other = (Story.without_a_call(system, caller) for caller in ("+15557770361", "+15557770362"))
    link, key = await story.link(ANA), SecretStr(system.surroundings.stack.signing_key)
    before = await story.is_(Status.ALERTED)
    signed, _, signature = link.rpartition(".")
    altered = f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"

    def minted(key: SecretStr, escalation_id: str, person: str) -> str:
        return f"{PUBLIC_URL}/desk/{sign(key, escalation_id, person)}"

    nobodys = minted(key, "CA" + "0" * 32 + "-1", "ana")
    strangers = minted(key, story.escalation_id, "stranger")
    foreign = minted(SecretStr("another key"), story.escalation_id, "ana")
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now - LIFE_S - 60)
    old = minted(key, story.escalation_id, "ana")
    monkeypatch.undo()
    refused = {altered: "403", foreign: "403", strangers: "403", old: "410", nobodys: "404"}
    async with story.browser() as browser:
        page = await browser.open(link)
        for url, status in refused.items():
            with pytest.raises(NothingToTapError, match=f"server answered {status}"):
                await browser.open(url)
            with pytest.raises(NothingToTapError, match=f"server answered {status}"):
                await browser.tap(replace(page, action=f"{url}/take"))
        theirs = await browser.open(await story.link(BEN))
        others = await browser.open(await other.link(ANA))
        for form in (theirs.fields, others.fields, {"form": "made by hand"}):
            assert (await browser.tap(replace(page, fields=form))).headline == "A caller is waiting"
    assert await story.is_(Status.ALERTED) == before
    assert not story.rung(ANA)
