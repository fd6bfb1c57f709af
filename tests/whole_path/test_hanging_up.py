"""A hang-up leaves nothing running, and promised escalations are still sent."""

import asyncio
import json

import pytest

from local.audio.pitch import say
from local.model import CallTool, Say
from local.twilio import EndedBy
from local.twilio.person import HangUp, Listen
from local.twilio.person import Say as Speak
from shared.calls.ending import CallEnd
from tests.whole_path.acts import Do
from tests.whole_path.agents.tools import TOOL_S
from tests.whole_path.conftest import System

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_caller_who_hangs_up_in_the_midst_of_a_tool_ends_it(system: System) -> None:
    """The model's session is closed at once, the tool is cancelled, and the call's end is recorded."""
    system.script(Say("Hello.", ms=400), CallTool("search_archive"))
    searching = Do(lambda: system.session.wait_sent("response.done", 2))
    report = await system.call(Listen(), Speak(say(440)), searching, HangUp())
    assert report.ended_by is EndedBy.CALLER
    async with asyncio.timeout(TOOL_S / 2):
        await system.session.wait_closed()
    assert system.session.close_code == 1000
    assert system.how_it_ended(report) is CallEnd.CALLER_HUNG_UP
    assert not [event for event in system.session.received if event.event["type"] == "conversation.item.create"]


async def test_people_are_told_of_a_caller_who_hangs_up_before_hearing_so(system: System) -> None:
    """The model asked for a person, which was sent; the caller hung up before the agent said so."""
    asked = {"reason": "locked out", "summary": "Stands in the rain.", "urgency": "high"}
    system.script(Say("Hello.", ms=400), CallTool("escalate_to_human", asked))
    escalated = Do(lambda: system.session.wait_received("conversation.item.create"))
    report = await system.call(Listen(), Speak(say(440)), escalated, HangUp())
    assert report.ended_by is EndedBy.CALLER
    assert all("locked out" in text for _to, text in await system.alerted())
    escalation = system.kept(report)
    assert escalation is not None
    assert escalation["summary"] == "Stands in the rain."


async def test_the_next_caller_is_served_as_if_nothing_had_been(system: System) -> None:
    """A hang-up at any moment affects no other call."""
    system.script(Say("Hello.", ms=2000))
    await system.call(Do(lambda: asyncio.sleep(0.3)), HangUp())
    script = system.script(Say("Hello.", ms=400), CallTool("note", {"word": "tea"}), Say("Noted.", ms=400))
    report = await system.call(Listen(), Speak(say(440)), Listen(), HangUp(), from_="+15557770001")
    assert not report.codes
    call, output = next(turn.last_output for turn in script.turns if turn.last_output)
    assert (json.loads(call.arguments), output.output) == ({"word": "tea"}, "tea from +15557770001")
