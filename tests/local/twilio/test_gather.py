"""Keys that a caller presses during <Gather>."""

import pytest

from local.twilio import Person, SimulatedTwilio
from local.twilio.person import Hear, Press, Wait
from tests.local.twilio.application import PUBLIC_URL, Application

WEBHOOK = f"{PUBLIC_URL}/incoming-call"
PROMPT = "<Say>Press one to take the call or two to pass it on</Say>"


async def test_key_interrupts_the_prompt_and_is_sent(twilio: SimulatedTwilio, application: Application) -> None:
    """The action is requested with a signed POST, and its document is performed next."""
    application.replies["/incoming-call"] = [
        f'<Gather numDigits="1" action="/pressed?x=1">{PROMPT}<Say>never</Say></Gather><Say>never</Say>'
    ]
    application.replies["/pressed"] = ["<Say>Thank you</Say>"]
    report = await twilio.call(Person(Hear(), Press("1")), webhook=WEBHOOK)
    assert report.said == ["Press one to take the call or two to pass it on", "Thank you"]
    asked = application.asked[1]
    assert (asked.method, asked.path, asked.signed) == ("POST", "/pressed", True)
    assert (asked.fields["Digits"], asked.fields["CallStatus"]) == ("1", "in-progress")


async def test_without_a_key_the_next_verb_follows_after_the_time(
    twilio: SimulatedTwilio, application: Application
) -> None:
    """The time counts from the prompt's end, and there is no request."""
    application.replies["/incoming-call"] = [
        '<Gather timeout="3" action="/pressed"><Say>Well</Say></Gather><Say>Goodbye</Say>'
    ]
    report = await twilio.call(Person(), webhook=WEBHOOK)
    assert (report.said, application.paths) == (["Well", "Goodbye"], ["/incoming-call"])
    [said] = [step.at_ms for step in report.steps if step.what == "answered"]
    [gathered] = [step.at_ms for step in report.steps if step.what == "gathered"]
    assert gathered - said >= 3000


@pytest.mark.parametrize(
    ("attributes", "keys", "digits", "finished_on"),
    [
        ('numDigits="4"', "12345", "1234", ""),
        ("", "12#3", "12", "#"),
        ("", "1*#", "1*", "#"),
        ('numDigits="4" timeout="1"', "12", "12", ""),
    ],
)
async def test_digits_are_complete(
    twilio: SimulatedTwilio, application: Application, attributes: str, keys: str, digits: str, finished_on: str
) -> None:
    """By their number, by the finishing key, or by the timeout after the last one."""
    application.replies["/incoming-call"] = [f'<Gather {attributes} action="/pressed">{PROMPT}</Gather>']
    application.replies["/pressed"] = ["<Hangup/>"]
    await twilio.call(Person(Hear(), Press(keys)), webhook=WEBHOOK)
    fields = application.asked[1].fields
    assert (fields["Digits"], fields["FinishedOnKey"]) == (digits, finished_on)


async def test_final_key_alone_is_no_input(twilio: SimulatedTwilio, application: Application) -> None:
    """The next verb follows, at once."""
    application.replies["/incoming-call"] = [f'<Gather action="/pressed">{PROMPT}</Gather><Say>Goodbye</Say>']
    report = await twilio.call(Person(Hear(), Press("#")), webhook=WEBHOOK)
    assert (report.said[-1], application.paths) == ("Goodbye", ["/incoming-call"])


async def test_document_itself_is_asked_when_no_action_is_named(
    twilio: SimulatedTwilio, application: Application
) -> None:
    """Twilio's default, with the query of the document's URL."""
    application.replies["/incoming-call"] = [f'<Gather numDigits="1">{PROMPT}</Gather>', "<Hangup/>"]
    await twilio.call(Person(Hear(), Press("7")), webhook=f"{WEBHOOK}?n=1")
    assert application.paths == ["/incoming-call", "/incoming-call"]
    assert application.asked[1].fields["Digits"] == "7"


async def test_keys_outside_of_gather_are_lost(twilio: SimulatedTwilio, application: Application) -> None:
    """Keys pressed before it do not count."""
    application.replies["/incoming-call"] = [
        '<Say>One moment please, it will not take long</Say><Gather timeout="2" action="/pressed"/><Say>Goodbye</Say>'
    ]
    report = await twilio.call(Person(Hear(), Press("1"), Wait(60_000)), webhook=WEBHOOK)
    assert (report.said[-1], application.paths) == ("Goodbye", ["/incoming-call"])
