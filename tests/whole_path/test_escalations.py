"""From the model's request for a person to the people's phones, with failures on the way."""

import json

import pytest

from local.audio.pitch import say
from local.model import CallTool, Say, Scripted
from local.stack.simulation import ON_CALL
from local.twilio import EndedBy, Fault
from local.twilio.person import HangUp, Listen
from local.twilio.person import Say as Speak
from shared.escalations.request import Escalation
from tests.whole_path.conftest import System, escalation

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKED = {"reason": "lost key", "summary": "Cannot get in.", "urgency": "high"}


def _script(system: System) -> Scripted:
    """The agent greets, asks for a person when the caller speaks, and says so."""
    return system.script(Say("Hello.", ms=400), CallTool("escalate_to_human", ASKED), Say("As to the person.", ms=400))


def _told(script: Scripted) -> dict[str, str]:
    """The tool's output for the model's escalation."""
    [output] = [turn.last_output[1].output for turn in script.turns if turn.last_output]
    told: dict[str, str] = json.loads(output)
    return told


async def test_everybody_on_call_is_told_who_why_and_how_urgent(system: System) -> None:
    """And the model is told that it was sent; the transcript is included."""
    script = _script(system)
    report = await system.call(Listen(), Speak(say(440)), Listen(), HangUp(), from_="+15557770002")
    assert _told(script)["status"] == "sent"
    alerts = await system.alerted()
    assert {to for to, _text in alerts} == set(ON_CALL)
    for _to, text in alerts:
        assert "+15557770002" in text
        assert "lost key" in text
    kept = system.kept(report)
    assert kept is not None
    assert [(turn["role"], turn["text"]) for turn in kept["transcript"]] == [
        ("agent", "Hello."),
        ("caller", "440"),
    ]


async def test_the_model_hears_the_truth_when_the_queue_is_away(system: System) -> None:
    """The agent never promises what is not stored: it is told that no person was alerted, and the call goes on."""
    script = _script(system)
    async with system.surroundings.stack.other_worker({"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"}):
        report = await system.call(Listen(), Speak(say(440)), Listen(limit_ms=30_000), HangUp())
    assert report.ended_by is EndedBy.CALLER
    assert not report.codes
    told = _told(script)
    assert "status" not in told
    assert "NOT be sent" in told["error"]
    assert not system.alerts


async def test_an_alert_that_nobody_could_take_is_tried_again(system: System) -> None:
    """Twilio refuses both messages at first; a moment later each person gets one."""
    system.surroundings.twilio.fail(Fault(path="Messages", times=2, status=503))
    system.enqueue(escalation().to_json())
    assert sorted(to for to, _text in await system.alerted()) == sorted(ON_CALL)
    await system.drained()
    assert len(system.alerts) == 2


async def test_one_alert_that_was_taken_is_enough(system: System) -> None:
    """One person's number is unreachable: the other is alerted, and no retry alerts anybody twice."""
    system.surroundings.twilio.fail(Fault(path="Messages", times=1, status=400, code=21211))
    system.enqueue(escalation().to_json())
    assert len(await system.alerted(1)) == 1
    await system.drained()
    assert len(system.alerts) == 1


async def test_an_alert_that_nobody_ever_takes_ends_in_the_dead_letter_queue(system: System) -> None:
    """After the template's number of tries it is in that queue, which has an alarm."""
    forever = Fault(path="Messages", times=1000, status=503)
    system.surroundings.twilio.fail(forever)
    sent = escalation()
    system.enqueue(sent.to_json())
    try:
        assert Escalation.from_json(await system.dead_letter()) == sent
    finally:
        forever.times = 0
    assert not system.alerts


async def test_a_poison_message_ends_in_the_dead_letter_queue_and_holds_up_nobody(system: System) -> None:
    """A message that is not an escalation never becomes one; those after it are alerted as usual."""
    for body in ("{not json", json.dumps({"version": 1})):
        system.enqueue(body)
    system.enqueue(escalation(reason="after the poison").to_json())
    assert all("after the poison" in text for _to, text in await system.alerted())
    assert {await system.dead_letter(), await system.dead_letter()} == {"{not json", json.dumps({"version": 1})}
    await system.drained()
    assert len(system.alerts) == 2


async def test_a_message_that_is_delivered_twice_alerts_once(system: System) -> None:
    """SQS may deliver twice, and a worker may resend after a lost answer."""
    sent = escalation()
    for body in (sent.to_json(), sent.to_json()):
        system.enqueue(body)
    await system.alerted()
    await system.drained()
    system.enqueue(sent.to_json())
    await system.drained()
    assert sorted(to for to, _text in system.alerts) == sorted(ON_CALL)


async def test_what_the_agent_learns_later_is_kept_and_alerts_nobody_again(system: System) -> None:
    """A second call of the tool is a new revision of the same escalation."""
    more = ASKED | {"summary": "Cannot get in, and the dog is inside."}
    again = (CallTool("escalate_to_human", more), Say("I added that.", ms=400))
    system.script(Say("Hello.", ms=400), CallTool("escalate_to_human", ASKED), Say("Done.", ms=400), *again)
    report = await system.call(Listen(), Speak(say(440)), Listen(), Speak(say(480)), Listen(), HangUp())
    await system.alerted()
    await system.drained()
    kept = system.kept(report)
    assert kept is not None
    assert (kept["revision"], kept["summary"]) == (2, more["summary"])
    assert len(system.alerts) == 2
