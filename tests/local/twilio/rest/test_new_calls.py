"""Outbound calls placed with Twilio's own SDK, and the phones that they ring."""

import asyncio
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio import (
    Answers,
    Busy,
    Callee,
    CallerGaveUpError,
    Declines,
    EndedBy,
    NeverAnswers,
    NotSimulatedError,
    SimulatedTwilio,
    Unreachable,
    Voicemail,
)
from local.twilio.call import Setup
from local.twilio.person import HangUp, Hear, Listen, Press, Say, Wait
from tests.local.twilio.application import PUBLIC_URL, Application, Reply

NUMBER = "+15550100200"
MARIA = "+15550100301"
OFFER = f"{PUBLIC_URL}/offer"
STATUS = f"{PUBLIC_URL}/status"
EVENTS = ["initiated", "ringing", "answered", "completed"]
PROMPT = "<Say>A caller has lost a key. Press one to take the call.</Say>"


async def create(client: Client, **options: Any) -> Any:
    """Places a call with the SDK."""
    return await asyncio.to_thread(client.calls.create, **{"to": MARIA, "from_": NUMBER, "url": OFFER, **options})


def statuses(application: Application) -> list[str]:
    """The statuses that the callback got, in order."""
    told = [asked for asked in application.asked if asked.path == "/status"]
    assert all(asked.signed for asked in told)
    told.sort(key=lambda asked: int(asked.fields["SequenceNumber"]))
    return [asked.fields["CallStatus"] for asked in told]


@pytest.fixture(autouse=True)
def _offer(application: Application) -> None:
    application.replies["/offer"] = [f'<Gather numDigits="1" action="/pressed">{PROMPT}</Gather><Say>Goodbye</Say>']
    application.replies["/pressed"] = ["<Say>Thank you</Say>"]
    application.replies["/status"] = [Reply("", status=204)]


async def test_person_answers_hears_and_presses_a_key(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """Its TwiML is performed like an inbound call's, to the end of the call."""
    twilio.phones[MARIA] = Answers(Hear(), Press("1"))
    call = await create(client, status_callback=STATUS, status_callback_event=EVENTS)
    assert (call.status, call.direction, call.to, call._from) == ("queued", "outbound-api", MARIA, NUMBER)
    [report] = await twilio.calls_to(MARIA)
    await twilio.settled()
    assert (report.call_sid, report.said[-1], report.status) == (call.sid, "Thank you", "completed")
    assert application.paths.index("/offer") < application.paths.index("/pressed")
    offered = next(asked for asked in application.asked if asked.path == "/offer")
    assert offered.signed
    assert offered.fields["Direction"] == "outbound-api"
    assert (offered.fields["From"], offered.fields["To"]) == (NUMBER, MARIA)
    assert offered.fields["CallStatus"] == "in-progress"
    assert statuses(application) == ["initiated", "ringing", "in-progress", "completed"]


async def test_status_callback_is_told_of_the_end_alone_unless_asked_for_more(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """With the call's length, in seconds and in minutes rounded up."""
    twilio.phones[MARIA] = Answers(Wait(2500), HangUp())
    await create(client, status_callback=STATUS)
    [report] = await twilio.calls_to(MARIA)
    await twilio.settled()
    [told] = [asked.fields for asked in application.asked if asked.path == "/status"]
    assert (told["CallStatus"], told["CallbackSource"]) == ("completed", "call-progress-events")
    assert (int(told["CallDuration"]) >= 3, told["Duration"], "AnsweredBy" in told) == (True, "1", False)
    assert report.ended_by is EndedBy.CALLEE
    assert [request.status for request in report.callbacks] == [204]


@pytest.mark.parametrize(
    ("callee", "status", "told"),
    [
        (Busy(), "busy", ["initiated", "busy"]),
        (Declines(), "busy", ["initiated", "ringing", "busy"]),
        (NeverAnswers(), "no-answer", ["initiated", "ringing", "no-answer"]),
        (Answers(after_ms=9000), "no-answer", ["initiated", "ringing", "no-answer"]),
        (Unreachable(), "failed", ["initiated", "failed"]),
    ],
)
async def test_nobody_picks_up(
    twilio: SimulatedTwilio, client: Client, application: Application, callee: Callee, status: str, told: list[str]
) -> None:
    """No TwiML is requested; the last status gives the reason, and the duration is 0."""
    twilio.phones[MARIA] = callee
    await create(client, timeout=5, status_callback=STATUS, status_callback_event=EVENTS)
    [report] = await twilio.calls_to(MARIA)
    await twilio.settled()
    assert (report.status, report.answered_at_ms, report.ended_by) == (status, None, EndedBy.NOT_REACHED)
    assert (statuses(application), "/offer" in application.paths) == (told, False)
    last = next(asked.fields for asked in application.asked if asked.fields["CallStatus"] == status)
    assert last["CallDuration"] == "0"


async def test_number_without_a_phone_is_unreachable(twilio: SimulatedTwilio, client: Client) -> None:
    """It is valid, so the call is placed, and fails."""
    await create(client, to="+15550100999")
    [report] = await twilio.calls_to("+15550100999")
    assert report.status == "failed"


async def test_voicemail_presses_nothing(twilio: SimulatedTwilio, client: Client, application: Application) -> None:
    """It speaks over the prompt, and hangs up after a while."""
    application.replies["/offer"] = [f'<Gather action="/pressed">{PROMPT}</Gather><Pause length="600"/>']
    twilio.phones[MARIA] = Voicemail(greeting=b"\x10" * 4000, records_ms=8000)
    await create(client)
    [report] = await twilio.calls_to(MARIA)
    assert report.spoken.count(0x10) >= 4000
    assert (report.ended_by, application.paths) == (EndedBy.CALLEE, ["/offer"])


async def test_person_says_something_and_is_heard_by_nobody(twilio: SimulatedTwilio, client: Client) -> None:
    """Both sides of the call are recorded, aligned."""
    twilio.phones[MARIA] = Answers(Listen(300), Say(b"\x20" * 800), HangUp())
    await create(client, twiml='<Response><Say>Hello</Say><Pause length="60"/></Response>', url=None)
    [report] = await twilio.calls_to(MARIA)
    assert (report.said, report.spoken.count(0x20)) == (["Hello"], 800)
    assert len(report.heard) == len(report.spoken)


async def test_an_error_of_a_callees_script_is_raised(twilio: SimulatedTwilio, client: Client) -> None:
    """By `calls_to`."""
    twilio.phones[MARIA] = Answers(Listen(limit_ms=1000))
    await create(client, twiml='<Response><Pause length="60"/></Response>', url=None)
    with pytest.raises(CallerGaveUpError):
        await twilio.calls_to(MARIA)


async def test_what_is_not_simulated_is_told(twilio: SimulatedTwilio, client: Client, application: Application) -> None:
    """A limit of the simulation stops the test, also in an outbound call."""
    application.replies["/offer"] = ["<Enqueue>support</Enqueue>"]
    twilio.phones[MARIA] = Answers()
    await create(client)
    with pytest.raises(NotSimulatedError, match="Enqueue"):
        await twilio.calls_to(MARIA)


async def test_ringing_call_can_be_canceled(twilio: SimulatedTwilio, client: Client) -> None:
    """And cannot be redirected before it is answered."""
    twilio.phones[MARIA] = NeverAnswers()
    call = await create(client)
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.calls(call.sid).update, url=OFFER)
    assert refusal.value.code == 21220
    await asyncio.to_thread(client.calls(call.sid).update, status="completed")
    [report] = await twilio.calls_to(MARIA)
    assert (report.status, report.ended_by) == ("canceled", EndedBy.REST)


async def test_queued_call_can_be_canceled(twilio: SimulatedTwilio) -> None:
    """Before its phone has rung."""
    twilio.phones[MARIA] = Answers()
    setup = Setup(NUMBER, MARIA, None, direction="outbound-api")
    twilio.place(setup, 60).end(EndedBy.REST, "canceled")
    [report] = await twilio.calls_to(MARIA)
    assert (report.status, [step.what for step in report.steps]) == ("canceled", ["ended"])


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"to": "5550100301"}, 400, 21211),
        ({"to": ""}, 400, 21201),
        ({"from_": ""}, 400, 21213),
        ({"from_": "200"}, 400, 21212),
        ({"from_": "+15559999999"}, 400, 21210),
        ({"url": None}, 400, 21205),
        ({"url": "/offer"}, 400, 21205),
        ({"url": None, "twiml": "<Response>"}, 400, 12100),
        ({"url": None, "twiml": f"<Response>{' ' * 4000}</Response>"}, 400, 32018),
        ({"status_callback": "status"}, 400, 21609),
        ({"status_callback": STATUS, "status_callback_event": ["finished"]}, 400, 21626),
        ({"timeout": 601}, 400, 20001),
        ({"time_limit": 0}, 400, 20001),
        ({"time_limit": 14_401}, 400, 20001),
        ({"machine_detection": "Enable"}, 501, 20001),
        ({"url": None, "twiml": "<Response><Play>/tone.wav</Play></Response>"}, 501, 20001),
    ],
)
async def test_wrong_calls_are_refused(
    twilio: SimulatedTwilio, client: Client, options: dict[str, Any], status: int, code: int
) -> None:
    """With the code that the SDK's exception carries; no phone rings."""
    with pytest.raises(TwilioRestException) as refusal:
        await create(client, **options)
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert twilio.reports == []


async def test_relative_url_in_twiml_of_a_request_fails(twilio: SimulatedTwilio, client: Client) -> None:
    """Twilio's 15004: such a document has no URL to be relative to."""
    twilio.phones[MARIA] = Answers()
    await create(client, url=None, twiml="<Response><Redirect>/next</Redirect></Response>")
    [report] = await twilio.calls_to(MARIA)
    assert (report.codes, report.ended_by) == ([15004], EndedBy.APPLICATION_ERROR)


async def test_time_limit(twilio: SimulatedTwilio, client: Client) -> None:
    """It ends the call."""
    twilio.phones[MARIA] = Answers(Wait(60_000))
    await create(client, time_limit=2, url=None, twiml='<Response><Pause length="60"/></Response>')
    [report] = await twilio.calls_to(MARIA)
    assert report.ended_by is EndedBy.TIME_LIMIT


async def test_failing_status_callback_does_not_hold_the_call_up(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """An HTTP error is reported and not retried; a failed connection is retried once."""
    application.replies["/status"] = [Reply("", status=500)]
    twilio.phones[MARIA] = Answers(HangUp())
    await create(client, status_callback=STATUS)
    await create(client, status_callback="http://127.0.0.1:1/status")
    first, second = await twilio.calls_to(MARIA, count=2)
    await twilio.settled()
    assert ([request.status for request in first.callbacks], first.codes) == ([500], [15003])
    assert ([request.status for request in second.callbacks], second.codes) == ([None, None], [11205])
