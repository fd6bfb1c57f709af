"""The record of an escalation: who has been asked, who has taken it, and what happens next.

    queued -> alerted -> accepted -> connected -> resolved
                 \\-> expired -> callback -> accepted -> ...

A record is a value. Each event is a method that returns the next record, or the same one if nothing changes. An event
that cannot happen raises `Refused`, with a sentence for the person who tried. There is no clock and no table here: the
caller of an event says when it happened, and `EscalationStore.change` writes the result, so that of two events at once
one wins.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from shared.escalations.request import Escalation

# From a tap or a key to both being connected: half a minute of ringing, a summary heard twice, and the agent's goodbye.
JOINS_WITHIN_S = 150
# How often it is made sure that two who talk to each other still do, should the news of the end have got lost.
TALK_CHECK_INTERVAL_S = 900
# How often a person who waits on the phone, and a caller who may be alone with the music, are looked after.
WATCH_INTERVAL_S = 10


class Status(StrEnum):
    """How far an escalation has come."""

    QUEUED = "queued"
    ALERTED = "alerted"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    RESOLVED = "resolved"
    EXPIRED = "expired"  # nobody took it; a call back follows at once, so no record rests here
    CALLBACK = "callback"


# The caller is with a person, or was: should they need somebody again, then for something new.
HANDLED = (Status.CONNECTED, Status.RESOLVED)
# What steps say that happened in one status; others look for these words.
ON_THE_PHONE = "on the phone"
DECLINED = "passed on"
HUNG_UP = "hung up before the caller came"


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that happened: the status that it led to or happened in, and by whom, if it was a person's doing.

    With a `channel` it is that this person was not reached by it; `detail` says why.
    """

    status: Status
    at: datetime
    person: str | None = None
    name: str | None = None
    detail: str = ""
    channel: str | None = None


@dataclass(frozen=True)
class SentAlert:
    """One alert that was accepted for sending: to whom, by which channel, and its id (a call's or a message's sid)."""

    person: str
    channel: str
    sid: str


class Refused(Exception):
    """The event cannot happen to this record. The message is for the person who tried."""


class OutOfOrder(Refused):
    """Something else has to happen first, or it is too late for it."""


class AnotherPhone(Refused):
    """The person who has taken it is on the line with another phone already."""


class _Theirs(Refused):
    def __init__(self, words: str, entry: HistoryEntry) -> None:
        super().__init__(words.format(name=entry.name or "Somebody else"))
        self.person, self.name, self.at = entry.person, entry.name, entry.at


class TakenByAnother(_Theirs):
    """Another person has it; `person`, `name` and `at` say who, and since when."""


class AlreadyResolved(_Theirs):
    """It has been dealt with; `person`, `name` and `at` say by whom and when."""


@dataclass(frozen=True)
class EscalationRecord:
    """One escalation and all that has become of it.

    `due` is when the ladder moves it on; without one it is on the call-back list, or resolved.

    The caller may be on the way to a person, or wait for them in the conference, when that person leaves. So every
    event by which a person who was ready for the caller is not any more sets `return_due`: when it is looked next
    whether the caller is with the agent again. It stays until `caller_settled`, or until another person has the caller.
    While somebody holds the escalation it is not looked at: then the caller waits for that person.
    """

    escalation: Escalation
    status: Status
    history: tuple[HistoryEntry, ...]
    due_at: datetime | None
    version: int = 1  # one more with each change
    checks: int = 0  # how often the ladder has looked at it; a reminder tells by it whether another one came first
    tier: int = 0  # the one that was alerted last; the first is 1
    tier_ends_at: datetime | None = None  # how long the people of that tier have to take it
    alerts: tuple[SentAlert, ...] = ()  # the tier's alerts to people who can take it
    failed_alerts: tuple[str, ...] = ()  # the ids of alerts, of any tier, that did not reach their person or are over
    declined_by: tuple[str, ...] = ()  # those of the tier who passed it on
    claimed_until: datetime | None = None  # until then somebody is alerting the next tier
    person: str | None = None  # who holds it or dealt with it, by the id in the roster
    person_name: str | None = None
    leg: str | None = None  # the sid of the call to the person's phone; no other leg may join the caller
    ready: bool = False  # the person on that leg waits for the caller
    caller_joined: bool = False  # the caller is in the conference
    calling_back: bool = False  # the person calls the caller, who is not on the line
    callback_promised: bool = False  # the ladder is at its end, and somebody is to call back
    join_by: datetime | None = None  # when whoever has taken it must be connected
    return_check_at: datetime | None = None  # when to look next whether the caller is with the agent again
    talking_on: str | None = None  # the person's leg, if the two may still talk: as long as it lasts, nobody is fetched

    @property
    def open(self) -> bool:
        """Whether anything is still to be done."""
        return self.status is not Status.RESOLVED

    @property
    def assignee(self) -> str | None:
        """Who has taken it and has not let go of it."""
        return self.person if self.status in (Status.ACCEPTED, Status.CONNECTED) else None

    @property
    def candidates(self) -> tuple[str, ...]:
        """Who of the tier may still take it: one of their channels has not failed, and they have not passed it on."""
        reachable = dict.fromkeys(alert.person for alert in self.alerts if alert.sid not in self.failed_alerts)
        return tuple(person for person in reachable if person not in self.declined_by)

    @property
    def awaits_caller(self) -> bool:
        """Whether a person is on the phone for the caller, or has them already."""
        return self.status is Status.CONNECTED or (self.status is Status.ACCEPTED and self.ready)

    @property
    def caller_alone(self) -> bool:
        """Whether the caller may be where nobody comes to them, and is to be fetched back to the agent."""
        return self.return_check_at is not None and self.assignee is None

    @property
    def needs_checks(self) -> bool:
        """Whether the ladder has anything left to look at."""
        return self.open or self.caller_alone

    @property
    def next_check_at(self) -> datetime | None:
        """When the ladder looks at it next; None on the call-back list, which is looked through now and then."""
        moments = (self.due_at, self.return_check_at if self.caller_alone else None)
        return min((moment for moment in moments if moment), default=None)

    def since(self, status: Status) -> datetime | None:
        """When the record last came to a status; None when it never did."""
        came: datetime | None = None
        before: Status | None = None
        for entry in self.history:
            if entry.status is status and before is not status:
                came = entry.at
            before = entry.status
        return came

    @classmethod
    def queued(cls, escalation: Escalation, at: datetime) -> Self:
        """A new record, at which the ladder is to look at once."""
        return cls(escalation, Status.QUEUED, (HistoryEntry(Status.QUEUED, at),), due_at=at)

    def revised(self, escalation: Escalation) -> Self:
        """The agent knows more. An older revision changes nothing."""
        return self if escalation.revision <= self.escalation.revision else self._with(escalation=escalation)

    def check_begun(self, check: int) -> Self:
        """The ladder begins its look of this number, the first being 0. Of two at once one does.

        Raises:
            OutOfOrder: when that look, or a later one, has been begun.
        """
        if check < self.checks:
            raise OutOfOrder("Another reminder came first.")
        return self._with(checks=check + 1)

    def rescheduled(self, due_at: datetime) -> Self:
        """The ladder moves it on later, or sooner, than was said."""
        if self.due_at is None:
            raise OutOfOrder("Nothing happens to it by itself any more.")
        return self._with(due_at=due_at, claimed_until=None)

    def claimed(self, at: datetime, until: datetime) -> Self:
        """Somebody alerts the next tier, which is due, and nobody else does until then, whatever happens meanwhile.

        Raises:
            OutOfOrder: when it is not due, or not any more, since somebody has seen to it.
        """
        self._must_be(Status.QUEUED, Status.ALERTED)
        if self.due_at is None or self.due_at > at:
            raise OutOfOrder("The next tier is not due.")
        return self._with(due_at=until, claimed_until=until)

    def alerted(self, tier: int, at: datetime, due_at: datetime, alerts: tuple[SentAlert, ...] = ()) -> Self:
        """A tier has been alerted, and its people have until `due` to take it; `alerts` are to those who can."""
        if tier <= self.tier:
            return self
        # Who passed it on before this note was written did so in this tier, unless they were asked in the one before.
        before = {alert.person for alert in self.alerts}
        declined_by = tuple(person for person in self.declined_by if person not in before)
        news = {
            "tier": tier,
            "alerts": alerts,
            "declined_by": declined_by,
            "tier_ends_at": due_at,
            "claimed_until": None,
        }
        if self.status is Status.ACCEPTED:
            return self._with(**news)
        self._must_be(Status.QUEUED, Status.ALERTED)
        return self._free(HistoryEntry(Status.ALERTED, at, detail=f"tier {tier}"), **news)

    def alert_failed(self, alert: SentAlert, at: datetime, why: str, name: str | None = None) -> Self:
        """An alert that was accepted has not reached its person, or cannot any more: that channel is out.

        The person is out only with the last of their channels, and can take it all the same.
        """
        if self.status is Status.RESOLVED or alert.sid in self.failed_alerts:
            return self
        failed_alerts = (*self.failed_alerts, alert.sid)
        if self.status not in (Status.QUEUED, Status.ALERTED) or alert.person in self.declined_by:
            return self._with(failed_alerts=failed_alerts)
        entry = HistoryEntry(self.status, at, alert.person, name, why, alert.channel)
        return self._free(entry, failed_alerts=failed_alerts)

    def accepted(
        self, person: str, at: datetime, due_at: datetime, *, name: str | None = None, callback: bool = False
    ) -> Self:
        """A person takes it, and has until `due` to be connected; with `callback` to a caller who is called for that.

        Raises:
            TakenByAnother: when somebody was faster.
        """
        if self.assignee == person:
            return self
        self._must_be_free(person)
        entry = HistoryEntry(Status.ACCEPTED, at, person, name, "to call back" if callback else "")
        return self._with_entry(
            entry, due_at=due_at, join_by=due_at, person=person, person_name=name, calling_back=callback
        )

    def ready_on(self, leg: str, person: str, at: datetime, due_at: datetime) -> Self:
        """The person is on the phone, by the sid of that call, and waits for the caller until `due`.

        They are looked after meanwhile, since the news that they have hung up may get lost.

        Raises:
            AnotherPhone: when the same person waits on another phone.
        """
        self._must_be_held_by(person)
        self._must_be_on(leg)
        if self.ready:
            return self
        entry = HistoryEntry(Status.ACCEPTED, at, person, self.person_name, ON_THE_PHONE)
        return self._with_entry(entry, due_at=min(due_at, _next_watch(at)), join_by=due_at, leg=leg, ready=True)

    def declined(self, person: str, at: datetime, leg: str | None = None, name: str | None = None) -> Self:
        """A person leaves it to others. Once nobody of the tier is left who has not, the next tier is asked.

        Raises:
            AnotherPhone: when the same person says so on one phone (`leg`) and waits on another.
        """
        if self.assignee is None:
            if self.status is Status.CALLBACK or person in self.declined_by:
                return self
            self._must_be(Status.QUEUED, Status.ALERTED)
            declined_by = (*self.declined_by, person)
            return self._free(HistoryEntry(self.status, at, person, name, DECLINED), declined_by=declined_by)
        self._must_be_held_by(person)
        self._must_be_on(leg)
        declined_by = self.declined_by if person in self.declined_by else (*self.declined_by, person)
        return replace(self, declined_by=declined_by).unassigned(at, DECLINED, person)

    def unassigned(self, at: datetime, why: str, person: str | None = None) -> Self:
        """Whoever held it did not come. The others of the tier, and they too, have the rest of its time.

        With `person`, only if that is who held it.
        """
        if person is not None:
            self._must_be_held_by(person)
        self._must_be(Status.ACCEPTED)
        status = Status.CALLBACK if self.callback_promised else Status.ALERTED
        # If the call that they held it by was an alert, that one brings nobody any more: it is over, or soon will be.
        failed_alerts = (*self.failed_alerts, self.leg) if self.leg else self.failed_alerts
        entry = HistoryEntry(status, at, self.person, self.person_name, why)
        changes = {"failed_alerts": failed_alerts, **self._return_needed(at), **_NOBODY}
        return (
            self._with_entry(entry, due_at=None, **changes) if self.callback_promised else self._free(entry, **changes)
        )

    def caller_joined_conference(self, at: datetime) -> Self:
        """The caller is where the person who waits will be in a moment, or, if nobody waits, alone with the music."""
        if self.caller_joined or self.status is Status.CONNECTED:
            return self
        if not self.awaits_caller:
            return self if self.return_check_at else self._with(return_check_at=_next_watch(at))
        return self._with_entry(HistoryEntry(Status.ACCEPTED, at, detail="the caller waits"), caller_joined=True)

    def connected(self, at: datetime, due_at: datetime) -> Self:
        """Person and caller hear each other."""
        if self.status is Status.CONNECTED:
            return self
        self._must_be_ready()
        entry = HistoryEntry(Status.CONNECTED, at, self.person, self.person_name)
        return self._with_entry(entry, due_at=due_at, caller_joined=True, return_check_at=None, talking_on=None)

    def call_ended(self, at: datetime, seconds: int) -> Self:
        """They have spoken to each other, whoever hung up first."""
        if self.status is Status.RESOLVED:
            return self
        self._must_be(Status.CONNECTED)
        entry = HistoryEntry(Status.RESOLVED, at, self.person, self.person_name, f"talked {seconds} s")
        return self._with_entry(entry, due_at=None, **self._return_needed(at))

    def expired(self, at: datetime, why: str) -> Self:
        """Nobody took it while there was somebody to ask: now it is to be a call back."""
        if self.status is Status.CALLBACK:
            return self
        self._must_be(Status.QUEUED, Status.ALERTED)
        return self._with_entry(HistoryEntry(Status.EXPIRED, at, detail=why), due_at=None).callback(at, why)

    def callback(self, at: datetime, why: str) -> Self:
        """The caller has gone, or was called back in vain: it is on the call-back list, and nobody's."""
        if self.status is Status.CALLBACK:
            return self
        self._must_not_be_resolved()
        entry = HistoryEntry(Status.CALLBACK, at, self.assignee, self.person_name, why)
        return self._with_entry(entry, due_at=None, callback_promised=True, **self._return_needed(at), **_NOBODY)

    def resolved(self, person: str, at: datetime, note: str, *, name: str | None = None) -> Self:
        """A person has dealt with it. The same person may say so again, with another note."""
        if self.status is Status.RESOLVED:
            if self.person != person:
                self._must_not_be_resolved()
            if not note or note == self.history[-1].detail:
                return self
        elif self.assignee != person:
            self._must_be_free(person)
        name = name or (self.person_name if self.person == person else None)
        entry = HistoryEntry(Status.RESOLVED, at, person, name, note)
        return self._with_entry(entry, due_at=None, person=person, person_name=name, **self._return_needed(at))

    def return_check_later(self, due_at: datetime) -> Self:
        """The caller is not known to be with the agent again: it is looked, and tried, once more."""
        return self._with(return_check_at=due_at) if self.caller_alone else self

    def caller_settled(self) -> Self:
        """Nobody has to be fetched back: the caller is with the agent, is called by another escalation, or has gone."""
        return self._with(return_check_at=None, talking_on=None) if self.caller_alone else self

    def _return_needed(self, at: datetime) -> dict[str, Any]:
        """What an event changes by which nobody comes to the caller any more who did, or was to."""
        if not self.awaits_caller:
            return {"return_check_at": _next_watch(at)} if self.return_check_at else {}
        return {"return_check_at": _next_watch(at), "talking_on": self.leg if self.status is Status.CONNECTED else None}

    def _free(self, entry: HistoryEntry, **changes: Any) -> Self:
        """A step after which nobody has it. The next tier is due when the time of this one is up, or nobody is left."""
        free = self._with_entry(entry, **changes)
        nobody_left = bool(free.alerts) and not free.candidates
        due_at = entry.at if free.tier_ends_at is None or nobody_left else free.tier_ends_at
        return replace(free, due_at=max(due_at, free.claimed_until or due_at))

    def _must_not_be_resolved(self) -> None:
        if self.status is Status.RESOLVED:
            raise AlreadyResolved("{name} has dealt with it already.", self._last(Status.RESOLVED))

    def _must_be_free(self, person: str) -> None:
        self._must_not_be_resolved()
        if self.assignee not in (None, person):
            raise TakenByAnother("{name} has taken it.", self._last(Status.ACCEPTED))

    def _must_be_held_by(self, person: str) -> None:
        self._must_be_free(person)
        if self.assignee is None:
            raise OutOfOrder("Nobody has taken it, or not any more.")

    def _must_be_on(self, leg: str | None) -> None:
        if leg and self.leg not in (None, leg):
            raise AnotherPhone("You have taken this call on another phone already.")

    def _must_be_ready(self) -> None:
        if not (self.status is Status.ACCEPTED and self.ready):
            raise OutOfOrder("Nobody waits for the caller.")

    def _must_be(self, *statuses: Status) -> None:
        self._must_not_be_resolved()
        if self.status not in statuses:
            raise OutOfOrder(f"It is {self.status} by now.")

    def _last(self, status: Status) -> HistoryEntry:
        return next(entry for entry in reversed(self.history) if entry.status is status and entry.person == self.person)

    def _with_entry(self, entry: HistoryEntry, **changes: Any) -> Self:
        # Two machines' clocks differ by a little; what comes later was later.
        entry = replace(entry, at=max(entry.at, self.history[-1].at))
        return self._with(status=entry.status, history=(*self.history, entry), **changes)

    def _with(self, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, **changes)


Event = Callable[[EscalationRecord], EscalationRecord]
"""What happens to an escalation: gives its next record; raises `Refused`."""

_NOBODY: dict[str, Any] = {
    **dict.fromkeys(("person", "person_name", "leg", "join_by")),
    **dict.fromkeys(("ready", "caller_joined", "calling_back"), False),
}


def _next_watch(at: datetime) -> datetime:
    return at + timedelta(seconds=WATCH_INTERVAL_S)
