"""Checks of the demo's call, each on what happened at the phone, at the model or among the people on call."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.demo.story import BOOKING, HOURS, NAME, SAID, Caller
from local.model import Session
from local.twilio import CallReport, EndedBy, Message
from shared.escalations.record import EscalationRecord, HistoryEntry, Status

HEARD_GREETING_MS = 1000.0
WHOLE_HISTORY = [Status.QUEUED, Status.ALERTED, Status.ACCEPTED, Status.CONNECTED, Status.RESOLVED]


@dataclass
class TakeOver:
    """The escalation record, the call to the person's phone, and the moment of her tap."""

    record: EscalationRecord
    leg: CallReport
    tapped_at: datetime

    @property
    def milestones(self) -> list[HistoryEntry]:
        """The first history entry of each status in the record, in order."""
        first: dict[Status, HistoryEntry] = {}
        for step in self.record.history:
            first.setdefault(step.status, step)
        return list(first.values())


@dataclass(frozen=True)
class Evidence:
    """Everything recorded of the demo's call."""

    report: CallReport
    session: Session
    alerts: list[Message]
    caller: Caller
    on_call: frozenset[str]
    taken: TakeOver

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """The model's events of a type, in order."""
        return [record.event for record in self.session.sent if record.event["type"] == kind]

    def received(self, kind: str) -> list[dict[str, Any]]:
        """The worker's events of a type, in order."""
        return [record.event for record in self.session.received if record.event["type"] == kind]

    @property
    def agent_said(self) -> list[str]:
        """The agent's sentences."""
        return [event["transcript"] for event in self.sent("response.output_audio_transcript.done")]

    def tool_output(self, name: str) -> str:
        """The worker's output for the first call of a tool; empty if there was none."""
        calls = [e["call_id"] for e in self.sent("response.function_call_arguments.done") if e["name"] == name]
        items = [event["item"] for event in self.received("conversation.item.create")]
        outputs = [str(item["output"]) for item in items if item.get("call_id") in calls[:1]]
        return outputs[0] if outputs else ""


@dataclass(frozen=True)
class Check:
    """One check: `problem` is empty if `what` happened, else it says what happened instead."""

    what: str
    problem: str


def check(evidence: Evidence) -> list[Check]:
    """Makes all checks, in the order of the call."""
    return [
        Check("Twilio was connected to the agent", _connected(evidence)),
        Check("the greeting was heard", _greeted(evidence)),
        Check("the model understood the caller from the audio", _understood(evidence)),
        Check("the agent looked the opening hours up and said them", _told_hours(evidence)),
        Check("the caller interrupted the agent, which stopped at once", _interrupted(evidence)),
        Check("the agent asked for a person, and told the caller", _escalated(evidence)),
        Check("everybody on call got an SMS", _alerted(evidence)),
        Check("the agent said who joins, and was heard to the end", _announced(evidence)),
        Check("the caller and the person heard each other", _meeting_problem(evidence.report, evidence.taken.leg)),
        Check("that person accepted and resolved the escalation", _record_problem(evidence.taken, NAME)),
        Check("neither Twilio nor the model reported an error", _errors(evidence)),
    ]


def _connected(evidence: Evidence) -> str:
    statuses = [request.status for request in evidence.report.requests]
    if statuses[:1] != [200] or len(evidence.report.streams) != 1:
        return f"the webhooks answered {statuses}, and {len(evidence.report.streams)} streams were opened"
    return ""


def _greeted(evidence: Evidence) -> str:
    asked = evidence.caller.exchanges.get(HOURS)
    heard = sum(e.heard_ms for s in evidence.report.streams for e in s.media if not asked or e.at_ms < asked.began_ms)
    return "" if heard > HEARD_GREETING_MS else f"{heard:.0f} ms were heard before the caller spoke"


def _understood(evidence: Evidence) -> str:
    heard = [e["transcript"] for e in evidence.sent("conversation.item.input_audio_transcription.completed")]
    said = [words.lower().replace(",", "").rstrip("?.") for words in SAID]
    return "" if heard == said else f"it heard {heard}"


def _told_hours(evidence: Evidence) -> str:
    hours = evidence.tool_output("opening_hours")
    if not hours:
        return "the tool was not called, or not answered"
    return "" if any(hours in said for said in evidence.agent_said) else f"the agent did not say {hours!r}"


def _interrupted(evidence: Evidence) -> str:
    clears = [clear for stream in evidence.report.streams for clear in stream.clears]
    cuts = evidence.received("conversation.item.truncate")
    if BOOKING not in evidence.caller.exchanges:
        return "the caller never spoke"
    if len(clears) != 1 or not clears[0].dropped_ms:
        return f"Twilio was told to clear {[clear.dropped_ms for clear in clears]} ms"
    return "" if len(cuts) == 1 else f"the model got {len(cuts)} truncations"


def _escalated(evidence: Evidence) -> str:
    output = evidence.tool_output("escalate_to_human")
    if not output or json.loads(output).get("status") != "sent":
        return f"the tool answered {output or 'nothing'}"
    return "" if any("asked a person" in said for said in evidence.agent_said) else "the agent did not say so"


def _alerted(evidence: Evidence) -> str:
    told = [message.to for message in evidence.alerts if evidence.report.from_ in message.body]
    return "" if sorted(told) == sorted(evidence.on_call) else f"{told or 'nobody'} got one"


def _announced(evidence: Evidence) -> str:
    report = evidence.report
    if report.ended_by is not EndedBy.CALLER:
        return f"the call was ended by {report.ended_by}"
    words = " ".join(evidence.agent_said[-1:])
    if NAME not in words:
        return f"the agent's last words were {words!r}"
    [last] = [entry for stream in report.streams for entry in stream.media][-1:]
    if last.heard < last.size:
        return f"{last.size_ms - last.heard_ms:.0f} ms of them were cut off"
    return "" if "sorry" not in " ".join(report.said).lower() else f"the caller heard: {report.said}"


def _record_problem(taken: TakeOver, name: str) -> str:
    """What is wrong with the escalation record; empty if nothing is."""
    came_to = [step.status for step in taken.milestones]
    if came_to != WHOLE_HISTORY:
        return f"its statuses were {', '.join(came_to)}"
    return "" if taken.record.person_name == name else f"it was accepted by {taken.record.person_name}"


def _meeting_problem(caller: CallReport, leg: CallReport) -> str:
    """Why the caller and the person did not hear each other; empty if they did."""
    for who, report in (("the caller", caller), ("the person", leg)):
        if not report.visits:
            return f"{who} never joined the conference"
        if report.visits[-1].first_voice_at_ms is None:
            return f"{who} heard nobody in the conference"
    return ""


def _errors(evidence: Evidence) -> str:
    legs = (evidence.report, evidence.taken.leg)
    warnings = [f"{notice.code} {notice.text}" for report in legs for notice in report.warnings]
    refusals = [str(refusal.error.get("message")) for refusal in evidence.session.refusals]
    return "; ".join(warnings + refusals)
