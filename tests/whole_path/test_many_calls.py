"""Fifty calls at once are not mixed up: audio, words, escalations and promises."""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest

from local.audio.pitch import STEP_HZ, pitches_in, say
from local.model import CallTool, Say, Turn
from local.model.brain import Output
from local.twilio import CallReport, EndedBy
from local.twilio.person import Listen
from local.twilio.person import Say as Speak
from local.twilio.report import Step
from tests.whole_path.acts import Do
from tests.whole_path.conftest import TWILIO_HZ, System

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLS = 50
GREETING_HZ = TWILIO_HZ  # what all callers hear
PITCHES = range(400, 400 + CALLS * STEP_HZ, STEP_HZ)
GOODBYES_APART_MS = 100


def _number(hz: int) -> str:
    return f"+1555600{hz:04}"


class Parrot:
    """Notes the caller's pitch, asks for a person, answers at that pitch, and hangs up."""

    async def plan(self, turn: Turn) -> Sequence[Output]:
        """Decides by what it heard, and by the output of its last tool call."""
        if turn.last_output is None:
            return [CallTool("note", {"word": turn.heard})] if turn.heard else [Say("Hello.", ms=400, hz=GREETING_HZ)]
        call, output = turn.last_output
        if call.name == "note":
            word, _, caller = output.output.partition(" from ")
            asked = {"reason": f"pitch {word}", "summary": f"{caller} said {word}"}
            return [Say(word, ms=600, hz=int(word)), CallTool("escalate_to_human", asked)]
        if call.name == "escalate_to_human":
            return [CallTool("end_call", {"reason": json.loads(call.arguments)["reason"].split()[1]})]
        later = PITCHES.index(int(json.loads(call.arguments)["reason"])) * GOODBYES_APART_MS
        return [Say("Goodbye.", ms=400 + later, hz=GREETING_HZ)]


@pytest.mark.timeout(300)
async def test_fifty_calls_at_once_are_not_mixed_up(system: System) -> None:
    """Audio both ways, tools and their callers, transcripts, escalations and alerts."""
    system.models.makes = Parrot
    reports = await _all_at_once(system)
    alerts = await system.alerted(2 * CALLS)
    for hz, report in reports.items():
        assert report.ended_by is EndedBy.APPLICATION
        assert not report.codes
        assert pitches_in(report.heard) == {GREETING_HZ, hz}
        _check_escalation(system, report, hz)
        assert sum(f"pitch {hz}" in text and _number(hz) in text for _to, text in alerts) == 2
    assert len(alerts) == 2 * CALLS
    assert not system.surroundings.model.refusals


async def _all_at_once(system: System) -> dict[int, CallReport]:
    """Makes the calls, and returns reports by the caller's pitch. Once all calls are up, all callers speak at once."""
    all_here = asyncio.Barrier(CALLS)
    async with asyncio.TaskGroup() as tasks:
        calls = {}
        for hz in PITCHES:
            answered = asyncio.Event()
            acts = (Listen(), Do(all_here.wait), Speak(say(hz)), Listen())
            call = system.call(*acts, from_=_number(hz), watch=_when_answered(answered))
            calls[hz] = tasks.create_task(call)
            await answered.wait()
    return {hz: call.result() for hz, call in calls.items()}


def _when_answered(answered: asyncio.Event) -> Callable[[Step], None]:
    return lambda step: answered.set() if step.what == "answered" else None


def _check_escalation(system: System, report: CallReport, hz: int) -> None:
    escalation = system.kept(report)
    assert escalation is not None
    assert (escalation["call_sid"], escalation["caller"]) == (report.call_sid, _number(hz))
    assert escalation["summary"] == f"{_number(hz)} said {hz}"
    said = [(turn["role"], turn["text"]) for turn in escalation["transcript"]]
    assert said == [("agent", "Hello."), ("caller", str(hz)), ("agent", str(hz))], json.dumps(said)
