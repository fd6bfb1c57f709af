"""<Dial> of a number: another phone rings, the two talk, and the first call goes on afterwards."""

from collections.abc import AsyncIterator

import pytest

from local.audio.pitch import pitches_in
from local.audio.speech import tone
from local.twilio import (
    Answers,
    Busy,
    Callee,
    CallReport,
    EndedBy,
    Loss,
    NeverAnswers,
    Person,
    SimulatedTwilio,
    Unreachable,
)
from local.twilio.ears import ringback
from local.twilio.person import Act, HangUp, Hear, Listen, Say, Wait
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, Application, Reply

WEBHOOK = f"{PUBLIC_URL}/incoming-call"
NUMBER = "+15550100200"
MARIA = "+15550100301"
CALLER_HZ, MARIA_HZ = 400, 600


@pytest.fixture
async def twilio(application: Application) -> AsyncIterator[SimulatedTwilio]:
    """An account with one number, at little more than real time, since voices are passed between phones."""
    tunnels = {PUBLIC_URL: application.address}
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, numbers=[NUMBER], tunnels=tunnels, speed=4) as twilio:
        yield twilio


@pytest.fixture(autouse=True)
def _dial(application: Application) -> None:
    application.replies["/incoming-call"] = [dials()]
    application.replies["/dialled"] = ["<Say>Goodbye</Say>"]
    application.replies["/status"] = [Reply("")]


def dials(attributes: str = "", number: str = "", to: str = MARIA) -> str:
    """A document that rings Maria."""
    return f'<Dial action="/dialled" {attributes}><Number {number}>{to}</Number></Dial><Say>Next verb</Say>'


async def call(twilio: SimulatedTwilio, *acts: Act) -> CallReport:
    """Makes a call with these acts."""
    return await twilio.call(Person(*acts), webhook=WEBHOOK, to=NUMBER)


def outcome(application: Application) -> dict[str, str]:
    """The fields about the <Dial> in the action's request."""
    [asked] = [asked for asked in application.asked if asked.path == "/dialled"]
    assert asked.signed
    return {name: value for name, value in asked.fields.items() if name.startswith("Dial")}


async def test_both_hear_each_other_after_the_ringing(twilio: SimulatedTwilio, application: Application) -> None:
    """The other phone is a leg with its own report; its end ends the <Dial>."""
    twilio.phones[MARIA] = Answers(Wait(300), Say(tone(1500, MARIA_HZ)), Listen(500), HangUp(), after_ms=2000)
    caller = await call(twilio, Hear(1000), Listen(500), Say(tone(1500, CALLER_HZ)), Wait(60_000))
    [leg] = await twilio.calls_to(MARIA)
    assert caller.said == ["Goodbye"]
    assert MARIA_HZ in pitches_in(caller.heard)
    assert CALLER_HZ not in pitches_in(caller.heard)
    assert ringback()[:8000] in caller.heard
    assert pitches_in(leg.heard) == {CALLER_HZ}
    assert (leg.direction, leg.parent_call_sid, leg.from_) == ("outbound-dial", caller.call_sid, caller.from_)
    told = outcome(application)
    assert (told["DialCallStatus"], told["DialCallSid"], told["DialBridged"]) == ("completed", leg.call_sid, "true")
    assert told["DialCallDuration"] == str(leg.talked_s)
    assert (leg.ended_by, leg.said) == (EndedBy.CALLEE, [])


@pytest.mark.parametrize(
    ("callee", "status"), [(Busy(), "busy"), (NeverAnswers(), "no-answer"), (Unreachable(), "failed")]
)
async def test_nobody_answers(twilio: SimulatedTwilio, application: Application, callee: Callee, status: str) -> None:
    """The caller hears ringing until then, and the call goes on."""
    twilio.phones[MARIA] = callee
    application.replies["/incoming-call"] = [dials('timeout="4"')]
    caller = await call(twilio, Wait(60_000))
    assert caller.said == ["Goodbye"]
    told = outcome(application)
    assert (told["DialCallStatus"], told["DialBridged"], told["DialCallDuration"]) == (status, "false", "0")


async def test_without_an_action_the_next_verb_follows(twilio: SimulatedTwilio, application: Application) -> None:
    """There is no request."""
    twilio.phones[MARIA] = Answers(HangUp())
    application.replies["/incoming-call"] = [f"<Dial><Number>{MARIA}</Number></Dial><Say>Next verb</Say>"]
    caller = await call(twilio, Wait(60_000))
    assert (caller.said, application.paths) == (["Next verb"], ["/incoming-call"])


async def test_caller_hangs_up_while_talking(twilio: SimulatedTwilio, application: Application) -> None:
    """The leg ends too; the action is requested, and its answer not performed."""
    twilio.phones[MARIA] = Answers(Say(tone(500, MARIA_HZ)))
    caller = await call(twilio, Hear(), HangUp())
    [leg] = await twilio.calls_to(MARIA)
    assert (caller.said, caller.ended_by, leg.ended_by) == ([], EndedBy.CALLER, EndedBy.OTHER_PARTY)
    assert outcome(application)["DialCallStatus"] == "completed"


async def test_caller_hangs_up_while_it_rings(twilio: SimulatedTwilio, application: Application) -> None:
    """The leg's status is no-answer."""
    twilio.phones[MARIA] = NeverAnswers()
    await call(twilio, Wait(2000), HangUp())
    [leg] = await twilio.calls_to(MARIA)
    assert (leg.status, leg.answered_at_ms) == ("no-answer", None)
    assert outcome(application)["DialCallStatus"] == "no-answer"


async def test_leg_has_status_callbacks(twilio: SimulatedTwilio, application: Application) -> None:
    """For the events that <Number> names, with the parent's sid."""
    number = 'statusCallback="/status" statusCallbackEvent="ringing answered completed"'
    application.replies["/incoming-call"] = [dials(f'callerId="{NUMBER}"', number)]
    twilio.phones[MARIA] = Answers(HangUp())
    caller = await call(twilio, Wait(60_000))
    await twilio.settled()
    told = [asked.fields for asked in application.asked if asked.path == "/status"]
    told.sort(key=lambda fields: int(fields["SequenceNumber"]))
    assert [fields["CallStatus"] for fields in told] == ["ringing", "in-progress", "completed"]
    assert {fields["ParentCallSid"] for fields in told} == {caller.call_sid}
    assert {fields["From"] for fields in told} == {NUMBER}


async def test_a_status_callback_gets_lost(twilio: SimulatedTwilio, application: Application) -> None:
    """Only the chosen one; the report has it without an answer, and without a warning."""
    number = 'statusCallback="/status" statusCallbackEvent="ringing answered completed"'
    application.replies["/incoming-call"] = [dials(f'callerId="{NUMBER}"', number)]
    twilio.phones[MARIA] = Answers(HangUp())
    twilio.lose(Loss("/elsewhere"))
    twilio.lose(Loss("/status", "CA0"))
    twilio.lose(Loss("/status"))
    await call(twilio, Wait(60_000))
    await twilio.settled()
    told = [asked.fields["CallStatus"] for asked in application.asked if asked.path == "/status"]
    assert sorted(told) == ["completed", "in-progress"]
    [leg] = await twilio.calls_to(MARIA)
    assert [sent.fields["CallStatus"] for sent in leg.callbacks if sent.status is None] == ["ringing"]
    assert not leg.warnings


async def test_answer_on_bridge_leaves_the_call_ringing(twilio: SimulatedTwilio, application: Application) -> None:
    """It is answered when the other phone is."""
    application.replies["/incoming-call"] = [dials('answerOnBridge="true"')]
    twilio.phones[MARIA] = Answers(Wait(300), HangUp(), after_ms=3000)
    caller = await call(twilio, Wait(60_000))
    assert caller.answered_at_ms is not None
    assert caller.answered_at_ms >= 3000


async def test_call_goes_on_without_the_other(twilio: SimulatedTwilio, application: Application) -> None:
    """The time limit ends the leg, and the call goes on."""
    application.replies["/incoming-call"] = [dials('timeLimit="3"')]
    twilio.phones[MARIA] = Answers(Say(tone(500, MARIA_HZ)))
    caller = await call(twilio, Wait(60_000))
    [leg] = await twilio.calls_to(MARIA)
    assert (caller.said, leg.ended_by) == (["Goodbye"], EndedBy.OTHER_PARTY)
    assert outcome(application)["DialCallStatus"] == "completed"


@pytest.mark.parametrize(
    ("document", "code"),
    [(dials(to="5550100301"), 13223), (dials('callerId="+15559999999"'), 13214)],
)
async def test_wrong_numbers_fail(twilio: SimulatedTwilio, application: Application, document: str, code: int) -> None:
    """No phone rings, and the action gets the status failed."""
    application.replies["/incoming-call"] = [document]
    caller = await call(twilio, Wait(60_000))
    assert (caller.codes, caller.said, len(twilio.reports)) == ([code], ["Goodbye"], 1)
    assert outcome(application) == {"DialCallStatus": "failed"}


async def test_leg_has_steps_of_its_own(twilio: SimulatedTwilio) -> None:
    """In its report."""
    twilio.phones[MARIA] = Answers(Wait(200), HangUp())
    await call(twilio, Wait(60_000))
    [leg] = await twilio.calls_to(MARIA)
    assert [step.what for step in leg.steps] == ["initiated", "ringing", "answered", "connected", "ended"]
