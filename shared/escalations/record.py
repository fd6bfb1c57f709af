"""An escalation's record: who has been alerted, who has taken it, and what happens next.

    queued -> alerted -> accepted -> connected -> resolved
                 \\-> expired -> callback -> accepted -> ...

A record is immutable. Each event is a method that returns the next record, or the same one if nothing changes. An
event that is not possible raises `Refused`, with a sentence for the person who tried. This module reads neither clock
nor table: each event is given its time, and `EscalationStore.change` writes the result, so that of two concurrent
events one wins.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from shared.escalations.request import Escalation

# From accepting (a tap or a key) until both are connected: 30 s of ringing, the summary twice, and the agent's goodbye.
JOINS_WITHIN_S = 150
# How often a conversation is checked, in case Twilio's event of its end was lost.
TALK_CHECK_INTERVAL_S = 900
# How often a person who waits on the phone, or a caller who may be alone on hold music, is checked.
WATCH_INTERVAL_S = 10


class Status(StrEnum):
    """How far an escalation has come."""

    QUEUED = "queued"
    ALERTED = "alerted"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    RESOLVED = "resolved"
    EXPIRED = "expired"  # nobody accepted; CALLBACK follows at once, so no stored record has this status
    CALLBACK = "callback"


# The caller is with a person, or was. If they need a person again, that is a new escalation.
HANDLED = (Status.CONNECTED, Status.RESOLVED)
# Details of history entries that other modules compare with.
ON_THE_PHONE = "on the phone"
DECLINED = "declined the call"
HUNG_UP = "hung up before the caller came"


@dataclass(frozen=True)
class HistoryEntry:
    """One event: the status that it led to or happened in, and the person who caused it, if any.

    With a `channel`, the entry says that an alert by this channel did not reach the person; `detail` says why.
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
    """The event is not possible for this record. The message is for the person who tried."""


class OutOfOrder(Refused):
    """Another event has to come first, or it is too late for this one."""


class AnotherPhone(Refused):
    """The assignee is on the line with another phone already."""


class _HandledByAnother(Refused):
    def __init__(self, words: str, entry: HistoryEntry) -> None:
        super().__init__(words.format(name=entry.name or "Somebody else"))
        self.person, self.name, self.at = entry.person, entry.name, entry.at


class TakenByAnother(_HandledByAnother):
    """Another person is the assignee; `person`, `name` and `at` say who, and since when."""


class AlreadyResolved(_HandledByAnother):
    """The escalation is resolved; `person`, `name` and `at` say by whom and when."""


@dataclass(frozen=True)
class EscalationRecord:
    """One escalation, its current state and its history.

    `due_at` is when the escalation policy acts next; None on the callback list and once resolved.

    A person may leave while the caller is on the way to them, or waits for them in the conference. So every event after
    which a person no longer waits for or talks to the caller sets `return_check_at`: when to check next whether the
    caller is back with the agent. It stays set until `caller_settled`, or until the caller is connected to a person.
    These checks pause while the escalation has an assignee, because the caller then waits for that person.
    """

    escalation: Escalation
    status: Status
    history: tuple[HistoryEntry, ...]
    due_at: datetime | None
    version: int = 1  # one more with each change
    checks: int = 0  # how many checks the escalation policy has begun; shows whether a reminder is a duplicate
    tier: int = 0  # the last tier that was alerted; the first is 1
    tier_ends_at: datetime | None = None  # when that tier's time to accept is over
    alerts: tuple[SentAlert, ...] = ()  # the tier's alerts to people who can accept
    failed_alerts: tuple[str, ...] = ()  # ids of alerts, of any tier, that failed or whose call is over
    declined_by: tuple[str, ...] = ()  # people of the tier who declined
    claimed_until: datetime | None = None  # the lease to alert the next tier ends then
    person: str | None = None  # roster id of the assignee, or of the person who resolved it
    person_name: str | None = None
    leg: str | None = None  # the sid of the call to the person's phone; no other leg may join the caller
    ready: bool = False  # the person on that leg waits for the caller
    caller_joined: bool = False  # the caller is in the conference
    calling_back: bool = False  # the person calls the caller back, who is not on the line
    callback_promised: bool = False  # nobody accepted, or the caller left: a person has to call back
    join_by: datetime | None = None  # when the assignee must be connected
    return_check_at: datetime | None = None  # when to check next whether the caller is back with the agent
    talking_on: str | None = None  # the person's leg, if the two may still talk; the caller is not sent back meanwhile

    @property
    def open(self) -> bool:
        """Whether it is not resolved yet."""
        return self.status is not Status.RESOLVED

    @property
    def assignee(self) -> str | None:
        """The roster id of the person who has accepted it; None when it is unassigned or resolved."""
        return self.person if self.status in (Status.ACCEPTED, Status.CONNECTED) else None

    @property
    def candidates(self) -> tuple[str, ...]:
        """People of the tier who may still accept: an alert to them has not failed, and they have not declined."""
        reachable = dict.fromkeys(alert.person for alert in self.alerts if alert.sid not in self.failed_alerts)
        return tuple(person for person in reachable if person not in self.declined_by)

    @property
    def awaits_caller(self) -> bool:
        """Whether a person on the phone waits for the caller or is connected to them."""
        return self.status is Status.CONNECTED or (self.status is Status.ACCEPTED and self.ready)

    @property
    def caller_alone(self) -> bool:
        """Whether the caller may be in the conference with no person coming, and must be sent back to the agent."""
        return self.return_check_at is not None and self.assignee is None

    @property
    def needs_checks(self) -> bool:
        """Whether the escalation policy still has to check it."""
        return self.open or self.caller_alone

    @property
    def next_check_at(self) -> datetime | None:
        """When the escalation policy checks it next; None if no time is set, as on the callback list."""
        moments = (self.due_at, self.return_check_at if self.caller_alone else None)
        return min((moment for moment in moments if moment), default=None)

    def since(self, status: Status) -> datetime | None:
        """When the record last entered a status; None if it never did."""
        entered: datetime | None = None
        before: Status | None = None
        for entry in self.history:
            if entry.status is status and before is not status:
                entered = entry.at
            before = entry.status
        return entered

    @classmethod
    def queued(cls, escalation: Escalation, at: datetime) -> Self:
        """A new record, due for its first check at once."""
        return cls(escalation, Status.QUEUED, (HistoryEntry(Status.QUEUED, at),), due_at=at)

    def revised(self, escalation: Escalation) -> Self:
        """Takes in the agent's later revision. The same or an older one changes nothing."""
        return self if escalation.revision <= self.escalation.revision else self._with(escalation=escalation)

    def check_begun(self, check: int) -> Self:
        """Begins the check of this number, the first being 0. Of two reminders for one check, one begins it.

        Raises:
            OutOfOrder: when that check, or a later one, has begun already.
        """
        if check < self.checks:
            raise OutOfOrder("Another reminder came first.")
        return self._with(checks=check + 1)

    def rescheduled(self, due_at: datetime) -> Self:
        """Sets another time for the escalation policy's next action."""
        if self.due_at is None:
            raise OutOfOrder("Nothing is scheduled for it any more.")
        return self._with(due_at=due_at, claimed_until=None)

    def claimed(self, at: datetime, until: datetime) -> Self:
        """Takes the lease to alert the next tier, which is due. Nobody else can take it before `until`.

        Raises:
            OutOfOrder: when the next tier is not due, or another process has the lease.
        """
        self._must_be(Status.QUEUED, Status.ALERTED)
        if self.due_at is None or self.due_at > at:
            raise OutOfOrder("The next tier is not due.")
        return self._with(due_at=until, claimed_until=until)

    def alerted(self, tier: int, at: datetime, due_at: datetime, alerts: tuple[SentAlert, ...] = ()) -> Self:
        """A tier has been alerted and has until `due_at` to accept; `alerts` are those to people who can accept."""
        if tier <= self.tier:
            return self
        # A person may decline before this event is written. So a person who has declined, and was not in the previous
        # tier, declined in this one.
        before = {alert.person for alert in self.alerts}
        declined_by = tuple(person for person in self.declined_by if person not in before)
        changes = {
            "tier": tier,
            "alerts": alerts,
            "declined_by": declined_by,
            "tier_ends_at": due_at,
            "claimed_until": None,
        }
        if self.status is Status.ACCEPTED:
            return self._with(**changes)
        self._must_be(Status.QUEUED, Status.ALERTED)
        return self._with_unassigned_entry(HistoryEntry(Status.ALERTED, at, detail=f"tier {tier}"), **changes)

    def alert_failed(self, alert: SentAlert, at: datetime, why: str, name: str | None = None) -> Self:
        """An alert that was accepted for sending has not reached its person, or its call is over: the channel failed.

        When all channels of a person have failed, the tier no longer waits for them. They can still accept.
        """
        if self.status is Status.RESOLVED or alert.sid in self.failed_alerts:
            return self
        failed_alerts = (*self.failed_alerts, alert.sid)
        if self.status not in (Status.QUEUED, Status.ALERTED) or alert.person in self.declined_by:
            return self._with(failed_alerts=failed_alerts)
        entry = HistoryEntry(self.status, at, alert.person, name, why, alert.channel)
        return self._with_unassigned_entry(entry, failed_alerts=failed_alerts)

    def accepted(
        self, person: str, at: datetime, due_at: datetime, *, name: str | None = None, callback: bool = False
    ) -> Self:
        """A person accepts, and has until `due_at` to be connected. With `callback` they call the caller back.

        Raises:
            TakenByAnother: when another person accepted first.
        """
        if self.assignee == person:
            return self
        self._must_not_be_anothers(person)
        entry = HistoryEntry(Status.ACCEPTED, at, person, name, "to call back" if callback else "")
        return self._with_entry(
            entry, due_at=due_at, join_by=due_at, person=person, person_name=name, calling_back=callback
        )

    def ready_on(self, leg: str, person: str, at: datetime, due_at: datetime) -> Self:
        """The assignee is on the phone (`leg` is the sid of that call) and waits for the caller until `due_at`.

        The call is checked meanwhile, since Twilio's event that they have hung up may be lost.

        Raises:
            AnotherPhone: when the same person waits on another phone.
        """
        self._must_be_assigned_to(person)
        self._must_be_on(leg)
        if self.ready:
            return self
        entry = HistoryEntry(Status.ACCEPTED, at, person, self.person_name, ON_THE_PHONE)
        return self._with_entry(entry, due_at=min(due_at, _next_check(at)), join_by=due_at, leg=leg, ready=True)

    def declined(self, person: str, at: datetime, leg: str | None = None, name: str | None = None) -> Self:
        """A person declines. When the tier has no candidates left, the next tier is due at once.

        Raises:
            AnotherPhone: when the same person declines on one phone (`leg`) and waits on another.
        """
        if self.assignee is None:
            if self.status is Status.CALLBACK or person in self.declined_by:
                return self
            self._must_be(Status.QUEUED, Status.ALERTED)
            declined_by = (*self.declined_by, person)
            entry = HistoryEntry(self.status, at, person, name, DECLINED)
            return self._with_unassigned_entry(entry, declined_by=declined_by)
        self._must_be_assigned_to(person)
        self._must_be_on(leg)
        declined_by = self.declined_by if person in self.declined_by else (*self.declined_by, person)
        return replace(self, declined_by=declined_by).unassigned(at, DECLINED, person)

    def unassigned(self, at: datetime, why: str, person: str | None = None) -> Self:
        """The assignee did not come. The whole tier, the assignee included, has the rest of its time to accept.

        With `person`, it is refused unless that person is the assignee.
        """
        if person is not None:
            self._must_be_assigned_to(person)
        self._must_be(Status.ACCEPTED)
        status = Status.CALLBACK if self.callback_promised else Status.ALERTED
        # The assignee's call may have been an alert. It is over, or will be soon, so it counts as failed.
        failed_alerts = (*self.failed_alerts, self.leg) if self.leg else self.failed_alerts
        entry = HistoryEntry(status, at, self.person, self.person_name, why)
        changes = {"failed_alerts": failed_alerts, **self._return_needed(at), **_NO_ASSIGNEE}
        if self.callback_promised:
            return self._with_entry(entry, due_at=None, **changes)
        return self._with_unassigned_entry(entry, **changes)

    def caller_joined_conference(self, at: datetime) -> Self:
        """The caller has joined the conference, where the assignee joins them. Without one, they hear hold music."""
        if self.caller_joined or self.status is Status.CONNECTED:
            return self
        if not self.awaits_caller:
            return self if self.return_check_at else self._with(return_check_at=_next_check(at))
        return self._with_entry(HistoryEntry(Status.ACCEPTED, at, detail="the caller waits"), caller_joined=True)

    def connected(self, at: datetime, due_at: datetime) -> Self:
        """Person and caller hear each other."""
        if self.status is Status.CONNECTED:
            return self
        self._must_be_ready()
        entry = HistoryEntry(Status.CONNECTED, at, self.person, self.person_name)
        return self._with_entry(entry, due_at=due_at, caller_joined=True, return_check_at=None, talking_on=None)

    def call_ended(self, at: datetime, seconds: int) -> Self:
        """Person and caller have talked for `seconds`; either of them hung up."""
        if self.status is Status.RESOLVED:
            return self
        self._must_be(Status.CONNECTED)
        entry = HistoryEntry(Status.RESOLVED, at, self.person, self.person_name, f"talked {seconds} s")
        return self._with_entry(entry, due_at=None, **self._return_needed(at))

    def expired(self, at: datetime, why: str) -> Self:
        """Nobody accepted, and there is no other tier to alert: it goes to the callback list."""
        if self.status is Status.CALLBACK:
            return self
        self._must_be(Status.QUEUED, Status.ALERTED)
        return self._with_entry(HistoryEntry(Status.EXPIRED, at, detail=why), due_at=None).callback(at, why)

    def callback(self, at: datetime, why: str) -> Self:
        """The caller hung up, or did not answer the callback: it goes to the callback list, unassigned."""
        if self.status is Status.CALLBACK:
            return self
        self._must_not_be_resolved()
        entry = HistoryEntry(Status.CALLBACK, at, self.assignee, self.person_name, why)
        return self._with_entry(entry, due_at=None, callback_promised=True, **self._return_needed(at), **_NO_ASSIGNEE)

    def resolved(self, person: str, at: datetime, note: str, *, name: str | None = None) -> Self:
        """A person marks it as dealt with. The same person may do so again, with another note."""
        if self.status is Status.RESOLVED:
            if self.person != person:
                self._must_not_be_resolved()
            if not note or note == self.history[-1].detail:
                return self
        elif self.assignee != person:
            self._must_not_be_anothers(person)
        name = name or (self.person_name if self.person == person else None)
        entry = HistoryEntry(Status.RESOLVED, at, person, name, note)
        return self._with_entry(entry, due_at=None, person=person, person_name=name, **self._return_needed(at))

    def return_check_later(self, due_at: datetime) -> Self:
        """The caller may not be back with the agent yet: the next return check is at `due_at`."""
        return self._with(return_check_at=due_at) if self.caller_alone else self

    def caller_settled(self) -> Self:
        """Ends the return checks: the caller is with the agent, in the transfer of another escalation, or gone."""
        return self._with(return_check_at=None, talking_on=None) if self.caller_alone else self

    def _return_needed(self, at: datetime) -> dict[str, Any]:
        """The changes of an event after which the person no longer waits for or talks to the caller."""
        if not self.awaits_caller:
            return {"return_check_at": _next_check(at)} if self.return_check_at else {}
        return {"return_check_at": _next_check(at), "talking_on": self.leg if self.status is Status.CONNECTED else None}

    def _with_unassigned_entry(self, entry: HistoryEntry, **changes: Any) -> Self:
        """Adds an entry that leaves it unassigned.

        The next tier is due when this one's time is over, or at once if no candidate is left.
        """
        after = self._with_entry(entry, **changes)
        nobody_left = bool(after.alerts) and not after.candidates
        due_at = entry.at if after.tier_ends_at is None or nobody_left else after.tier_ends_at
        return replace(after, due_at=max(due_at, after.claimed_until or due_at))

    def _must_not_be_resolved(self) -> None:
        if self.status is Status.RESOLVED:
            raise AlreadyResolved("{name} has dealt with it already.", self._last(Status.RESOLVED))

    def _must_not_be_anothers(self, person: str) -> None:
        self._must_not_be_resolved()
        if self.assignee not in (None, person):
            raise TakenByAnother("{name} has taken it.", self._last(Status.ACCEPTED))

    def _must_be_assigned_to(self, person: str) -> None:
        self._must_not_be_anothers(person)
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
        # Clocks of two machines differ a little: no entry is earlier than the one before it.
        entry = replace(entry, at=max(entry.at, self.history[-1].at))
        return self._with(status=entry.status, history=(*self.history, entry), **changes)

    def _with(self, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, **changes)


Event = Callable[[EscalationRecord], EscalationRecord]
"""An event: takes a record and returns the next one; raises `Refused` if it is not possible."""

_NO_ASSIGNEE: dict[str, Any] = {
    **dict.fromkeys(("person", "person_name", "leg", "join_by")),
    **dict.fromkeys(("ready", "caller_joined", "calling_back"), False),
}


def _next_check(at: datetime) -> datetime:
    return at + timedelta(seconds=WATCH_INTERVAL_S)
