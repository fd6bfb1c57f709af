"""The second half of the demo's call, in which a person takes it: what became of the escalation, and on her phone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from local.twilio import CallReport
from shared.escalation_life import Life, Status, Step

WHOLE_LIFE = [Status.QUEUED, Status.ALERTED, Status.ACCEPTED, Status.CONNECTED, Status.RESOLVED]


@dataclass
class TakeOver:
    """The escalation's life, the call to the person's phone, and the moment of her tap."""

    life: Life
    leg: CallReport
    tapped_at: datetime

    @property
    def milestones(self) -> list[Step]:
        """The first step of each status that the life came to, in order."""
        first: dict[Status, Step] = {}
        for step in self.life.steps:
            first.setdefault(step.status, step)
        return list(first.values())


def life_problem(taken: TakeOver, name: str) -> str:
    """What is wrong with the escalation's life; empty if nothing is."""
    came_to = [step.status for step in taken.milestones]
    if came_to != WHOLE_LIFE:
        return f"it was {', '.join(came_to)}"
    return "" if taken.life.person_name == name else f"it was dealt with by {taken.life.person_name}"


def meeting_problem(caller: CallReport, leg: CallReport) -> str:
    """What kept caller and person from hearing each other; empty if they did."""
    for who, report in (("the caller", caller), ("the person", leg)):
        if not report.visits:
            return f"{who} was in no conference"
        if report.visits[-1].first_voice_at_ms is None:
            return f"{who} heard nobody there"
    return ""


def take_over_times(taken: TakeOver, caller: CallReport) -> Iterator[tuple[str, str]]:
    """Who did what, and how long each step took."""
    for before, step in pairwise(taken.milestones):
        who = f" by {step.name}" if step.name else ""
        took = (step.at - before.at).total_seconds()
        yield f"escalation: {before.status} → {step.status}{who}", f"{took:.1f} s"
    connected = taken.life.since(Status.CONNECTED)
    if connected is not None:
        yield "take-over: tap → both connected", f"{(connected - taken.tapped_at).total_seconds():.1f} s"
    if caller.visits and caller.streams:
        silence = caller.longest_silence_ms(caller.streams[-1].last_audio_ms, caller.visits[-1].first_voice_at_ms)
        yield "take-over: longest silence between agent and person", f"{silence:,.0f} ms"
