"""What the page shows of an escalation: how it stands for this person, in words, and the one next thing to do."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from functions.desk.formatting import URGENCIES, caller_in_words, clock, grouped, reason_in_words, spell_out
from shared.calls.transcript import TranscriptEntry
from shared.escalations.callback_numbers import ToCall
from shared.escalations.record import DECLINED, ON_THE_PHONE, EscalationRecord, HistoryEntry, Status
from shared.escalations.request import Urgency
from shared.on_call.roster import Person
from shared.text.quoted import shown as without_links

Tone = Literal["alarm", "mine", "theirs", "done"]
NEWS_EVERY_MS, NEWS_WHEN_DONE_MS = 2000, 15000
# What `EscalationRecord.talked` writes into its step, and nobody's note.
TALKED = re.compile(r"talked (\d+) s")


# The channels of the roster, as people call them.
CHANNELS = {"sms": "text message", "phone": "phone", "sns": "the topic"}


@dataclass(frozen=True)
class Button:
    """The big one: an action of the desk, or without one the way to the list."""

    label: str
    action: str = ""


TAKE, CALL_BACK = Button("Take the call", "take"), Button("Call back", "call-back")
OTHERS = Button("Who else is waiting?")


@dataclass(frozen=True)
class Standing:
    """How things are for the person who looks."""

    tone: Tone
    headline: str
    explanation: str
    big: Button | None = None
    hint: str = ""


@dataclass(frozen=True)
class View:
    """Everything on the page but the transcript."""

    state: str  # another one when anything here may have changed
    tone: Tone
    headline: str
    explanation: str
    big: Button | None
    hint: str
    urgency: Urgency | None
    urgency_words: str
    waiting_words: str
    waited: str
    waited_s: int
    ticking: bool
    caller: str
    caller_number: str | None  # to be tapped on, if it may be called
    callback_number: str | None  # another one to call instead
    reason: str
    summary: str
    note: str
    may_pass_on: bool
    may_resolve: bool
    resolve_words: str
    history: list[dict[str, str]]
    every_ms: int


def view_of(record: EscalationRecord, me: Person, to_call: ToCall, *, gone: bool, now: datetime) -> View:
    """The page for a person at a moment; `gone`: the caller has hung up."""
    escalation = record.escalation
    standing = standing_of(record, me, to_call, gone=gone, now=now)
    free = record.assignee is None and record.open
    until = record.since(Status.CONNECTED) or (record.history[-1].at if not record.open else None)
    waited_s = max(0, int(((until or now) - escalation.created_at).total_seconds()))
    return View(
        state=f"{record.version}-{int(gone)}",
        tone=standing.tone,
        headline=standing.headline,
        explanation=standing.explanation,
        big=standing.big,
        hint=standing.hint,
        urgency=escalation.urgency if record.open else None,
        urgency_words=URGENCIES[escalation.urgency],
        waiting_words="Waited" if until else "Waiting for",
        waited=spell_out(waited_s),
        waited_s=waited_s,
        ticking=until is None,
        caller=caller_in_words(escalation.caller),
        caller_number=to_call.caller,
        callback_number=to_call.number if to_call.elsewhere else None,
        reason=reason_in_words(escalation.reason),
        summary=without_links(escalation.summary),
        note=note_of(record),
        may_pass_on=(free and record.status is not Status.CALLBACK and me.id not in record.declined_by)
        or (record.status is Status.ACCEPTED and record.person == me.id),
        may_resolve=free or record.person == me.id,
        resolve_words="Resolve it with a note" if record.open else "Write a note",
        history=history_of(record, me, now),
        every_ms=NEWS_EVERY_MS if record.open else NEWS_WHEN_DONE_MS,
    )


def history_of(record: EscalationRecord, me: Person, now: datetime) -> list[dict[str, str]]:
    """Each step as a line, by this person's clock."""
    zone = zone_of(me)
    return [
        {"at": step.at.isoformat(), "clock": clock(step.at, zone, now), "words": in_words(step, me)}
        for step in record.history
    ]


def zone_of(me: Person) -> ZoneInfo | None:
    """The clock that this person goes by, if the roster says."""
    return ZoneInfo(me.time_zone) if me.time_zone else None


def standing_of(record: EscalationRecord, me: Person, to_call: ToCall, *, gone: bool, now: datetime) -> Standing:
    """How things are for this person."""
    zone = zone_of(me)
    name = record.person_name or "Somebody"
    if record.status is Status.RESOLVED:
        who, last = ("You" if record.person == me.id else name), record.history[-1]
        return Standing("done", "Done", f"{who} dealt with it at {clock(last.at, zone, now)}.", OTHERS)
    if record.assignee not in (None, me.id):
        at = clock(record.since(Status.ACCEPTED) or now, zone, now)
        if record.status is Status.CONNECTED:
            return Standing("theirs", f"{name} is talking with the caller", f"{name} took it at {at}.", OTHERS)
        return Standing("theirs", f"{name} took it", f"At {at}. You need not do anything.", OTHERS)
    if record.assignee == me.id:
        return _mine(record, me)
    return _free(record, me, to_call.number, gone=gone)


def _mine(record: EscalationRecord, me: Person) -> Standing:
    if record.status is Status.CONNECTED:
        return Standing("mine", "You are talking with the caller", "Write a note below when you are done.")
    if record.ready and record.calling_back:
        return Standing("mine", "The caller's phone rings", "Stay on the line.")
    if record.ready:
        return Standing("mine", "The caller is coming", "Stay on the line. The agent is telling them about you.")
    return Standing("mine", "Your phone rings", f"Pick up and press 1. We are ringing {grouped(me.phone or '')}.")


def _free(record: EscalationRecord, me: Person, number: str | None, *, gone: bool) -> Standing:
    if gone and number is None:
        return Standing("alarm", "A caller has hung up", "They left no number to call back.")
    if not me.phone:
        hint = "The roster has no phone number for you. Call the number above, and say here when it is dealt with."
        return Standing("alarm", "Somebody has to call back" if gone else "A caller is waiting", "", None, hint)
    passed = _so_far(record, me)
    ring = f"We ring {grouped(me.phone)}. Press 1 there"
    if gone:
        waits = f"{passed}They have hung up, and wait for a call."
        hint = f"{ring}, and we call {grouped(number or '')}."
        return Standing("alarm", "Call the caller back", waits, CALL_BACK, hint)
    where = "They are on the line with the agent, and nobody has taken the call yet."
    return Standing("alarm", "A caller is waiting", passed + where, TAKE, f"{ring}.")


def _so_far(record: EscalationRecord, me: Person) -> str:
    """What this person did, or how they were missed, in words that say that they can take it all the same."""
    last = next((step for step in reversed(record.history) if step.person == me.id), None)
    if last and last.channel:
        return f"You could not be reached by {CHANNELS[last.channel]}: {last.detail}. You can still take it. "
    return "You passed it on. You can still take it. " if last and last.detail == DECLINED else ""


def in_short(record: EscalationRecord, me: Person, waited: str) -> str:
    """How things are, as a line of the list."""
    if record.assignee is not None:
        doing = "talking with them" if record.status is Status.CONNECTED else "on it"
        return f"You are {doing}" if record.assignee == me.id else f"{record.person_name or 'Somebody'} is {doing}"
    return f"To be called back, for {waited}" if record.status is Status.CALLBACK else f"Waiting for {waited}"


def last_failure(record: EscalationRecord, me: Person) -> str | None:
    """What went wrong with this person's last try, if that was the last thing to happen."""
    last = record.history[-1]
    tried = last.person == me.id and last.detail != DECLINED and last.channel is None
    failed = tried and last.status in (Status.ALERTED, Status.CALLBACK)
    return f"That did not work: {last.detail}." if failed else None


def note_of(record: EscalationRecord) -> str:
    """What somebody wrote when it was dealt with."""
    last = record.history[-1]
    return last.detail if last.status is Status.RESOLVED and not TALKED.fullmatch(last.detail) else ""


def in_words(step: HistoryEntry, me: Person) -> str:
    """One step as a line of the history."""
    who = "You" if step.person == me.id else (step.name or "Somebody")
    detail = f": {step.detail}" if step.detail else ""
    if step.person and step.detail == DECLINED:
        return f"{who} passed it on"
    if step.channel:
        return f"{who} could not be reached by {CHANNELS[step.channel]}{detail}"
    match step.status:
        case Status.QUEUED:
            return "The agent asked for a person"
        case Status.ALERTED:
            return f"{who} did not come{detail}" if step.person else f"People were alerted{detail}"
        case Status.ACCEPTED if not step.person:
            return "The caller was put through"
        case Status.ACCEPTED:
            return (
                f"{who} picked up the phone" if step.detail == ON_THE_PHONE else f"{who} took it {step.detail}".strip()
            )
        case Status.CONNECTED:
            return f"{who} and the caller were connected"
        case Status.EXPIRED:
            return "Nobody took it"
        case Status.CALLBACK:
            return f"Put on the call-back list{detail if step.person else ''}"
    talked = TALKED.fullmatch(step.detail)
    return f"{who} talked for {spell_out(int(talked[1]))}" if talked else f"{who} dealt with it{detail}"


@dataclass(frozen=True)
class ShownTurn:
    """One turn of the transcript."""

    role: str
    who: str
    text: str


def shown(turns: dict[int, TranscriptEntry], after: int = -1) -> list[tuple[int, ShownTurn]]:
    """The turns after an index that people are to read; what tools gave is not among them."""
    names = {"caller": "Caller", "agent": "Agent"}
    return [
        (index, ShownTurn(turn.role, names[turn.role], without_links(turn.text)))
        for index, turn in turns.items()
        if index > after and turn.role in names and turn.text.strip()
    ]
