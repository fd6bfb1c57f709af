"""What the page shows of an escalation: its status in words for one person, and their next action."""

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
UPDATE_INTERVAL_MS, UPDATE_INTERVAL_RESOLVED_MS = 2000, 15000
# What `EscalationRecord.call_ended` writes into its history entry; any other detail is a person's note.
TALKED = re.compile(r"talked (\d+) s")
# The roster's channels, in words.
CHANNELS = {"sms": "text message", "phone": "phone", "sns": "the topic"}


@dataclass(frozen=True)
class Button:
    """The page's main button: an action of the desk, or without one a link to the list."""

    label: str
    action: str = ""


TAKE, CALL_BACK = Button("Take the call", "take"), Button("Call back", "call-back")
OTHERS = Button("Who else is waiting?")


@dataclass(frozen=True)
class Standing:
    """The escalation's status for one person, in words, with the main button."""

    tone: Tone
    headline: str
    explanation: str
    big: Button | None = None
    hint: str = ""


@dataclass(frozen=True)
class View:
    """Everything on the page but the transcript."""

    state: str  # changes when anything else here may have changed
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
    caller_number: str | None  # if it may be called
    callback_number: str | None  # another number to call instead
    reason: str
    summary: str
    note: str
    may_decline: bool
    may_resolve: bool
    resolve_words: str
    history: list[dict[str, str]]
    every_ms: int


def view_of(record: EscalationRecord, me: Person, to_call: ToCall, *, gone: bool, now: datetime) -> View:
    """The page as person `me` sees it at the time `now`; `gone`: the caller has hung up."""
    escalation = record.escalation
    standing = standing_of(record, me, to_call, gone=gone, now=now)
    unassigned = record.assignee is None and record.open
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
        may_decline=(unassigned and record.status is not Status.CALLBACK and me.id not in record.declined_by)
        or (record.status is Status.ACCEPTED and record.person == me.id),
        may_resolve=unassigned or record.person == me.id,
        resolve_words="Resolve it with a note" if record.open else "Write a note",
        history=history_of(record, me, now),
        every_ms=UPDATE_INTERVAL_MS if record.open else UPDATE_INTERVAL_RESOLVED_MS,
    )


def history_of(record: EscalationRecord, me: Person, now: datetime) -> list[dict[str, str]]:
    """Each history entry as a line, with times in this person's time zone."""
    zone = zone_of(me)
    return [
        {"at": entry.at.isoformat(), "clock": clock(entry.at, zone, now), "words": in_words(entry, me)}
        for entry in record.history
    ]


def zone_of(me: Person) -> ZoneInfo | None:
    """This person's time zone, if the roster has it."""
    return ZoneInfo(me.time_zone) if me.time_zone else None


def standing_of(record: EscalationRecord, me: Person, to_call: ToCall, *, gone: bool, now: datetime) -> Standing:
    """The escalation's status for this person."""
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
    return _unassigned(record, me, to_call.number, gone=gone)


def _mine(record: EscalationRecord, me: Person) -> Standing:
    if record.status is Status.CONNECTED:
        return Standing("mine", "You are talking with the caller", "Write a note below when you are done.")
    if record.ready and record.calling_back:
        return Standing("mine", "The caller's phone rings", "Stay on the line.")
    if record.ready:
        return Standing("mine", "The caller is coming", "Stay on the line. The agent is telling them about you.")
    return Standing("mine", "Your phone rings", f"Pick up and press 1. We are ringing {grouped(me.phone or '')}.")


def _unassigned(record: EscalationRecord, me: Person, number: str | None, *, gone: bool) -> Standing:
    if gone and number is None:
        return Standing("alarm", "A caller has hung up", "They left no number to call back.")
    if not me.phone:
        hint = "The roster has no phone number for you. Call the number above, and say here when it is dealt with."
        return Standing("alarm", "Somebody has to call back" if gone else "A caller is waiting", "", None, hint)
    missed = _missed(record, me)
    ring = f"We ring {grouped(me.phone)}. Press 1 there"
    if gone:
        waits = f"{missed}They have hung up, and wait for a call."
        hint = f"{ring}, and we call {grouped(number or '')}."
        return Standing("alarm", "Call the caller back", waits, CALL_BACK, hint)
    where = "They are on the line with the agent, and nobody has taken the call yet."
    return Standing("alarm", "A caller is waiting", missed + where, TAKE, f"{ring}.")


def _missed(record: EscalationRecord, me: Person) -> str:
    """That this person declined or could not be reached, and can still accept; empty if neither is so."""
    last = next((entry for entry in reversed(record.history) if entry.person == me.id), None)
    if last and last.channel:
        return f"You could not be reached by {CHANNELS[last.channel]}: {last.detail}. You can still take it. "
    return "You passed it on. You can still take it. " if last and last.detail == DECLINED else ""


def in_short(record: EscalationRecord, me: Person, waited: str) -> str:
    """The escalation's status as a line of the list."""
    if record.assignee is not None:
        doing = "talking with them" if record.status is Status.CONNECTED else "on it"
        return f"You are {doing}" if record.assignee == me.id else f"{record.person_name or 'Somebody'} is {doing}"
    return f"To be called back, for {waited}" if record.status is Status.CALLBACK else f"Waiting for {waited}"


def last_failure(record: EscalationRecord, me: Person) -> str | None:
    """Why this person's last attempt failed, if that is the last history entry."""
    last = record.history[-1]
    tried = last.person == me.id and last.detail != DECLINED and last.channel is None
    failed = tried and last.status in (Status.ALERTED, Status.CALLBACK)
    return f"That did not work: {last.detail}." if failed else None


def note_of(record: EscalationRecord) -> str:
    """The note that a person wrote when they resolved it, if any."""
    last = record.history[-1]
    return last.detail if last.status is Status.RESOLVED and not TALKED.fullmatch(last.detail) else ""


def in_words(entry: HistoryEntry, me: Person) -> str:
    """One history entry as a line, as person `me` reads it."""
    who = "You" if entry.person == me.id else (entry.name or "Somebody")
    detail = f": {entry.detail}" if entry.detail else ""
    if entry.person and entry.detail == DECLINED:
        return f"{who} passed it on"
    if entry.channel:
        return f"{who} could not be reached by {CHANNELS[entry.channel]}{detail}"
    match entry.status:
        case Status.QUEUED:
            return "The agent asked for a person"
        case Status.ALERTED:
            return f"{who} did not come{detail}" if entry.person else f"People were alerted{detail}"
        case Status.ACCEPTED if not entry.person:
            return "The caller was put through"
        case Status.ACCEPTED:
            if entry.detail == ON_THE_PHONE:
                return f"{who} picked up the phone"
            return f"{who} took it {entry.detail}".strip()
        case Status.CONNECTED:
            return f"{who} and the caller were connected"
        case Status.EXPIRED:
            return "Nobody took it"
        case Status.CALLBACK:
            return f"Put on the callback list{detail if entry.person else ''}"
    talked = TALKED.fullmatch(entry.detail)
    return f"{who} talked for {spell_out(int(talked[1]))}" if talked else f"{who} dealt with it{detail}"


@dataclass(frozen=True)
class ShownEntry:
    """One transcript entry as the page shows it."""

    role: str
    who: str
    text: str


def shown(entries: dict[int, TranscriptEntry], after: int = -1) -> list[tuple[int, ShownEntry]]:
    """The entries after an index that people can read: those of the caller and the agent, not tool outputs."""
    names = {"caller": "Caller", "agent": "Agent"}
    return [
        (index, ShownEntry(entry.role, names[entry.role], without_links(entry.text)))
        for index, entry in entries.items()
        if index > after and entry.role in names and entry.text.strip()
    ]
