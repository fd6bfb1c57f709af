"""A call performs its TwiML verb by verb, and ends in each possible way."""

import asyncio

import pytest

from local.audio.speech import milliseconds
from local.twilio import CallEndedError, CallerGaveUpError, EndedBy, Line, NotSimulatedError, Person, SimulatedTwilio
from local.twilio.person import HangUp, Listen, Wait
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, Application

WEBHOOK = f"{PUBLIC_URL}/incoming-call"


async def test_verbs_are_performed_in_order_until_none_is_left(
    twilio: SimulatedTwilio, application: Application
) -> None:
    """Each takes its time, and the call ends with its document."""
    application.replies["/incoming-call"] = ['<Say>One moment</Say><Pause length="2"/><Say>Hello</Say>']
    report = await twilio.call(Person(), webhook=WEBHOOK)
    verbs = [step for step in report.steps if step.what in {"Say", "Pause", "ended"}]
    assert [step.detail for step in verbs] == ["One moment", "2 s", "Hello", EndedBy.APPLICATION]
    assert verbs[2].at_ms - verbs[1].at_ms >= 2000
    assert report.said == ["One moment", "Hello"]
    assert (report.status, report.warnings) == ("completed", [])


async def test_redirect_goes_on_with_the_other_document(twilio: SimulatedTwilio, application: Application) -> None:
    """Verbs after the redirect are not performed; the relative URL and the method are used."""
    application.replies["/incoming-call"] = ['<Redirect method="GET">next?n=1</Redirect><Say>never</Say>']
    application.replies["/next"] = ["<Say>here</Say><Hangup/><Say>never</Say>"]
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.said == ["here"]
    assert (application.asked[1].method, application.asked[1].fields["n"]) == ("GET", "1")
    assert application.asked[1].fields["CallStatus"] == "in-progress"
    assert all(asked.signed for asked in application.asked)


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
async def test_rejected_call_is_never_answered(
    twilio: SimulatedTwilio, application: Application, reason: str, status: str
) -> None:
    """The caller's script does not start."""
    application.replies["/incoming-call"] = [f'<Reject reason="{reason}"/>']

    class Unheard:
        async def run(self, _line: Line) -> None:
            raise AssertionError("the call was answered")

    report = await twilio.call(Unheard(), webhook=WEBHOOK)
    assert (report.status, report.answered_at_ms) == (status, None)


async def test_pause_before_anything_else_delays_the_answer(twilio: SimulatedTwilio, application: Application) -> None:
    """Twilio answers at the first verb that is neither Pause nor Reject."""
    application.replies["/incoming-call"] = ['<Pause length="3"/><Say>Hello</Say>']
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.answered_at_ms is not None
    assert report.answered_at_ms >= 3000


async def test_what_is_said_is_heard_when_there_is_a_voice(application: Application) -> None:
    """With `speak`, the recording has the spoken text, in the document's language."""
    voice = {("Hallo", "de-DE"): b"\x10" * 4000}
    application.replies["/incoming-call"] = ['<Say language="de-DE">Hallo</Say>']
    tunnels = {PUBLIC_URL: application.address}
    async with SimulatedTwilio(
        ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=10, speak=lambda text, language: voice[text, language]
    ) as twilio:
        report = await twilio.call(Person(), webhook=WEBHOOK)
    assert report.heard.count(0x10) == 4000
    assert len(report.heard) == len(report.spoken)


async def test_caller_hangs_up_in_the_middle_of_a_verb(twilio: SimulatedTwilio, application: Application) -> None:
    """The verb stops, later verbs are not performed, and the status is completed."""
    application.replies["/incoming-call"] = ['<Pause length="1"/><Say>Hello</Say><Pause length="500"/><Say>never</Say>']
    report = await twilio.call(Person(Listen(), HangUp()), webhook=WEBHOOK)
    assert (report.ended_by, report.status, report.said) == (EndedBy.CALLER, "completed", ["Hello"])


async def test_time_limit_ends_a_call_that_nobody_ends(twilio: SimulatedTwilio, application: Application) -> None:
    """A call that would never end ends at the limit."""
    application.replies["/incoming-call"] = ['<Pause/><Say>Hello</Say><Pause length="9999"/>']
    report = await twilio.call(Person(), webhook=WEBHOOK, limit_s=5)
    assert report.ended_by is EndedBy.TIME_LIMIT
    assert milliseconds(len(report.heard)) >= 4000  # a little less on a busy machine


async def test_failing_script_hangs_up_and_tells_why(twilio: SimulatedTwilio, application: Application) -> None:
    """A caller whose wait times out hangs up; the test gets the error."""
    application.replies["/incoming-call"] = ["<Redirect>/quiet</Redirect>"]
    application.replies["/quiet"] = ['<Pause length="9999"/>']
    with pytest.raises(CallerGaveUpError, match="2000 ms for the agent to speak"):
        await twilio.call(Person(Listen(limit_ms=2000)), webhook=WEBHOOK)


async def test_script_need_not_notice_that_the_call_has_ended(
    twilio: SimulatedTwilio, application: Application
) -> None:
    """The hang-up of the other side ends any act of the caller."""
    application.replies["/incoming-call"] = ["<Say>Goodbye</Say><Hangup/>"]
    report = await twilio.call(Person(Wait(60_000), HangUp()), webhook=WEBHOOK)
    assert report.ended_by is EndedBy.APPLICATION


async def test_script_may_notice_that_the_call_has_ended(twilio: SimulatedTwilio, application: Application) -> None:
    """Each wait of a script raises CallEndedError."""
    application.replies["/incoming-call"] = ["<Say>Goodbye</Say>"]
    noticed: list[bool] = []

    class Attentive:
        async def run(self, line: Line) -> None:
            try:
                await line.wait(600_000)
            except CallEndedError:
                noticed.append(True)
                raise

    await twilio.call(Attentive(), webhook=WEBHOOK)
    assert noticed == [True]


async def test_closing_the_simulation_ends_its_calls(application: Application) -> None:
    """A running call is hung up before the ports close."""
    application.replies["/incoming-call"] = ['<Say>Hello</Say><Pause length="9000"/>']
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels={PUBLIC_URL: application.address}) as twilio:
        answered = asyncio.Event()

        class Patient:
            async def run(self, _line: Line) -> None:
                answered.set()

        calling = asyncio.create_task(twilio.call(Patient(), webhook=WEBHOOK))
        await answered.wait()
    report = await calling
    assert report.ended_by is EndedBy.CLOSED


async def test_what_is_not_simulated_is_raised(twilio: SimulatedTwilio, application: Application) -> None:
    """A limit of the simulation is not an event of the call: it stops the test."""
    application.replies["/incoming-call"] = ["<Enqueue>support</Enqueue>"]
    with pytest.raises(NotSimulatedError, match="<Enqueue> in <Response> is not simulated"):
        await twilio.call(Person(), webhook=WEBHOOK)


async def test_schema_warnings_are_reported(twilio: SimulatedTwilio, application: Application) -> None:
    """An unknown verb is skipped with 12200."""
    application.replies["/incoming-call"] = ["<Speak>Hi</Speak><Say>Hello</Say>"]
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert (report.codes, report.said) == ([12200], ["Hello"])


async def test_every_step_can_be_watched(twilio: SimulatedTwilio, application: Application) -> None:
    """`watch` gets the same steps during the call as the report has afterwards."""
    application.replies["/incoming-call"] = ["<Say>Hello</Say>"]
    seen: list[str] = []
    report = await twilio.call(Person(), webhook=WEBHOOK, watch=lambda step: seen.append(step.what))
    assert seen == [step.what for step in report.steps] == ["webhook", "Say", "answered", "ended"]
