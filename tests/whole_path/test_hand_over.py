"""A caller is handed over to a person: these tests write the escalation record in the desk's place."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from local.audio.pitch import say
from local.model import CallTool, Say, Scripted
from local.stack.simulation import PUBLIC_URL
from local.twilio import CallReport
from local.twilio.person import HangUp, Hear, Listen
from local.twilio.person import Say as Speak
from shared.calls.ending import CallEnd
from shared.escalations.record import EscalationRecord, Status
from shared.twilio.rest import Telephony
from tests.whole_path.acts import Do
from tests.whole_path.conftest import PATIENCE_S, System

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKED = CallTool("escalate_to_human", {"reason": "lost key", "summary": "Cannot get in.", "urgency": "high"})


class Desk:
    """Writes one caller's escalation record as the desk would."""

    def __init__(self, system: System, caller: str) -> None:
        self._stage = system
        self._caller = caller

    async def until(self, fits: Callable[[EscalationRecord], bool]) -> EscalationRecord:
        """Waits for an escalation record of the caller that `fits`, and returns it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                records = await asyncio.to_thread(self._stage.escalations.open)
                for record in records:
                    if record.escalation.caller == self._caller and fits(record):
                        return record
                await asyncio.sleep(0.2)

    async def accept(self) -> None:
        """Maria taps the link."""
        await self._change(
            lambda record, at: record.accepted("maria", at, at + timedelta(minutes=3), name="Maria Lopez")
        )

    async def get_ready(self) -> None:
        """Maria presses 1 on her phone."""
        await self._change(lambda record, at: record.ready_on("CA9", "maria", at, at + timedelta(minutes=3)))

    async def _change(self, event: Callable[[EscalationRecord, datetime], EscalationRecord]) -> None:
        record = await self.until(lambda record: record.status in (Status.ALERTED, Status.ACCEPTED))
        at = datetime.now(UTC)
        change = self._stage.escalations.change
        await asyncio.to_thread(change, record.escalation.escalation_id, lambda record: event(record, at))

    async def caller_joined(self) -> None:
        """The caller has joined the conference."""
        await self.until(lambda record: record.caller_joined)

    async def give_back(self) -> None:
        """Maria's call ended before she joined: returns the caller to the agent."""
        record = await self.until(lambda record: record.ready)
        exchange = self._stage.surroundings.twilio.exchange
        telephony = Telephony(
            exchange.account_sid, SecretStr(exchange.auth_token), self._stage.surroundings.twilio.api_url
        )
        await asyncio.to_thread(telephony.redirect, record.escalation.call_sid, f"{PUBLIC_URL}/transfer-ended")


def _told(script: Scripted, words: str) -> bool:
    """Whether the model's instructions for a response contained these words."""
    return any(words in turn.asked for turn in script.turns)


def _asked_for(report: CallReport) -> list[str]:
    """The paths of this call's webhooks, in order."""
    return [request.url.removeprefix(PUBLIC_URL).partition("?")[0] for request in report.requests]


async def test_a_caller_hears_who_joins_and_is_put_through(system: System) -> None:
    """A person accepts, then waits on the phone: the agent announces both, and the call joins the conference."""
    desk = Desk(system, "+15557770021")
    script = system.script(
        Say("Hello.", ms=400), ASKED, Say("I have.", ms=400), Say("She comes.", ms=400), Say("She joins.", ms=1_000)
    )
    acts = (Listen(), Speak(say(440)), Listen(), Do(desk.accept), Listen(), Do(desk.get_ready), Do(desk.caller_joined))
    report = await system.call(*acts, HangUp(), from_="+15557770021")
    assert _told(script, "Maria Lopez has taken the request")
    assert _told(script, "Tell the caller that Maria Lopez is joining now")
    [visit] = report.visits
    assert (visit.name, visit.label) == (f"{report.call_sid}-1", "caller")
    said = report.streams[0].last_audio_ms
    assert said is not None
    assert visit.joined_at_ms > said
    assert report.longest_silence_ms(said, visit.joined_at_ms) < 3_000
    assert _asked_for(report) == ["/incoming-call", "/stream-ended", "/transfer-ended"]
    assert system.how_it_ended(report) is CallEnd.CALLER_HUNG_UP
    assert not report.codes


async def test_a_caller_comes_back_to_the_agent(system: System) -> None:
    """The person does not join: the agent gets the caller back and knows why."""
    desk = Desk(system, "+15557770022")
    script = system.script(
        Say("Hello.", ms=400), ASKED, Say("I have.", ms=400), Say("She joins.", ms=400), Say("I am sorry.", ms=400)
    )
    acts = (Listen(), Speak(say(440)), Listen(), Do(desk.accept), Do(desk.get_ready), Do(desk.caller_joined))

    async def agent_knows() -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not _told(script, "Maria Lopez could not join after all"):
                await asyncio.sleep(0.1)

    back = (Do(desk.give_back), Do(agent_knows), Hear())
    report = await system.call(*acts, *back, HangUp(), from_="+15557770022")
    assert len(report.streams) == 2
    assert _asked_for(report)[:3] == ["/incoming-call", "/stream-ended", "/transfer-ended"]
    assert system.how_it_ended(report) is CallEnd.CALLER_HUNG_UP
