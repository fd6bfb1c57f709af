"""REST updates of calls that are connected with others: the call leaves correctly, and the others go on."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio import Answers, CallReport, EndedBy, Line, Person, PicksUp, SimulatedTwilio
from local.twilio.person import Wait
from tests.local.twilio.application import PUBLIC_URL, Application, Reply

WEBHOOK = f"{PUBLIC_URL}/incoming-call"
NUMBER = "+15550100200"
MARIA = "+15550100301"
ROOM = '<Conference beep="false" statusCallback="/conference" statusCallbackEvent="join leave">room</Conference>'


class Connected:
    """A person who does something by REST, `after_ms` after picking up."""

    def __init__(self, act: Callable[[], object], *, after_ms: float = 4000, hangs_up: bool = False) -> None:
        self._act, self._after_ms, self._hangs_up = act, after_ms, hangs_up

    async def run(self, line: Line) -> None:
        """Waits, and acts."""
        await line.wait(self._after_ms)
        await asyncio.to_thread(self._act)
        if self._hangs_up:
            await line.hang_up()


@pytest.fixture(autouse=True)
def _documents(application: Application) -> None:
    application.replies["/incoming-call"] = [f'<Dial action="/left">{ROOM}</Dial>']
    application.replies["/elsewhere"] = ["<Say>Elsewhere</Say>"]
    application.replies["/left"] = ["<Say>Goodbye</Say>"]
    application.replies["/conference"] = [Reply("", status=204)]


def dialling(application: Application) -> None:
    """The caller is connected with Maria."""
    application.replies["/incoming-call"] = [f'<Dial action="/left"><Number>{MARIA}</Number></Dial>']


def update(client: Client, twilio: SimulatedTwilio, number: str, **options: Any) -> Callable[[], object]:
    """Updates the first call to a number."""

    def act() -> object:
        sid = next(report.call_sid for report in twilio.reports if report.to == number)
        return client.calls(sid).update(**options)

    return act


async def call(twilio: SimulatedTwilio, act: Callable[[], object]) -> CallReport:
    """Makes a call that does something once connected."""
    return await twilio.call(Connected(act), webhook=WEBHOOK, to=NUMBER)


async def test_participant_is_sent_elsewhere(twilio: SimulatedTwilio, client: Client, application: Application) -> None:
    """It leaves the conference, with a status callback; the action of its <Dial> is not requested."""
    report = await call(twilio, update(client, twilio, NUMBER, url=f"{PUBLIC_URL}/elsewhere"))
    await twilio.settled()
    assert (report.said, "/left" in application.paths) == (["Elsewhere"], False)
    [visit] = report.visits
    assert visit.why_left == "participant_updated_via_api"
    told = [asked.fields for asked in application.asked if asked.path == "/conference"]
    [left] = [fields for fields in told if fields["StatusCallbackEvent"] == "participant-leave"]
    assert (left["ReasonParticipantLeft"], left["ParticipantCallStatus"]) == (
        "participant_updated_via_api",
        "in-progress",
    )


async def test_participants_call_is_ended(twilio: SimulatedTwilio, client: Client, application: Application) -> None:
    """As if it had hung up."""
    report = await call(twilio, update(client, twilio, NUMBER, status="completed"))
    assert (report.ended_by, report.visits[0].why_left) == (EndedBy.REST, "participant_hung_up")
    assert "/left" in application.paths


async def test_dialled_leg_is_not_sent_elsewhere(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """The simulation refuses it, unlike Twilio, and the two go on talking."""
    dialling(application)
    twilio.phones[MARIA] = Answers(Wait(60_000), after_ms=500)
    redirect = update(client, twilio, MARIA, url=f"{PUBLIC_URL}/elsewhere")

    def refused() -> None:
        with pytest.raises(TwilioRestException, match="Redirecting a leg of a <Dial> is not simulated"):
            redirect()
        update(client, twilio, NUMBER, status="completed")()

    await call(twilio, refused)
    [leg] = await twilio.calls_to(MARIA)
    assert (leg.ended_by, "/elsewhere" in application.paths) == (EndedBy.OTHER_PARTY, False)


async def test_dialled_leg_is_ended(twilio: SimulatedTwilio, client: Client, application: Application) -> None:
    """The caller goes on."""
    dialling(application)
    twilio.phones[MARIA] = Answers(Wait(60_000), after_ms=500)
    report = await call(twilio, update(client, twilio, MARIA, status="completed"))
    [leg] = await twilio.calls_to(MARIA)
    assert (report.said, leg.ended_by) == (["Goodbye"], EndedBy.REST)


async def test_caller_is_sent_elsewhere(twilio: SimulatedTwilio, client: Client, application: Application) -> None:
    """The leg is hung up, and the action not requested."""
    dialling(application)
    twilio.phones[MARIA] = Answers(Wait(60_000), after_ms=500)
    report = await call(twilio, update(client, twilio, NUMBER, url=f"{PUBLIC_URL}/elsewhere"))
    [leg] = await twilio.calls_to(MARIA)
    assert (report.said, leg.ended_by, "/left" in application.paths) == (["Elsewhere"], EndedBy.OTHER_PARTY, False)


async def test_ringing_leg_is_canceled(twilio: SimulatedTwilio, client: Client, application: Application) -> None:
    """The action gets this status, not no-answer."""
    dialling(application)
    twilio.phones[MARIA] = Answers(after_ms=20_000)
    await call(twilio, update(client, twilio, MARIA, status="canceled"))
    [asked] = [asked.fields for asked in application.asked if asked.path == "/left"]
    assert asked["DialCallStatus"] == "canceled"


async def test_placed_call_joins_the_callers_conference(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """As in a take-over: the two meet, and both calls are in-progress in REST."""
    live: list[str] = []

    def look() -> None:
        live.extend(str(client.calls(sid).fetch().status) for sid in twilio.calls)

    application.replies["/join"] = ["<Dial>" + ROOM.replace("beep", 'endConferenceOnExit="true" beep') + "</Dial>"]
    twilio.phones[MARIA] = PicksUp(Connected(look, hangs_up=True), after_ms=500)
    calling = asyncio.create_task(twilio.call(Person(Wait(60_000)), webhook=WEBHOOK, to=NUMBER))
    await asyncio.to_thread(client.calls.create, to=MARIA, from_=NUMBER, url=f"{PUBLIC_URL}/join")
    report = await calling
    [leg] = await twilio.calls_to(MARIA)
    assert (live, report.said) == (["in-progress"] * 2, ["Goodbye"])
    assert leg.visits[0].conference_sid == report.visits[0].conference_sid
