"""The life of an escalation: who has been asked, who has taken it, and what happens next.

    queued -> alerted -> accepted -> connected -> resolved
                 \\-> expired -> callback -> accepted -> ...

A life is a value. Each event is a method that returns the next life, the same one when there is nothing to change, or
raises a `Refused` that says why in words for a person. Neither a clock nor a table is in here: whoever knows of an
event says when it was, and `EscalationStore.change` writes what comes of it, so that of two at once one wins.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from shared.escalation import Escalation

# From a tap or a key to both being connected: half a minute of ringing, a summary heard twice, and the agent's goodbye.
JOINS_WITHIN_S = 150
# How often it is made sure that two who talk to each other still do, should the news of the end have got lost.
TALK_CHECKED_EVERY_S = 900


class Status(StrEnum):
    """How far an escalation has come."""

    QUEUED = "queued"
    ALERTED = "alerted"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    RESOLVED = "resolved"
    EXPIRED = "expired"  # nobody took it; a call back follows at once, so no life rests here
    CALLBACK = "callback"


# The caller is with a person, or was: should they need somebody again, then for something new.
OVER = (Status.CONNECTED, Status.RESOLVED)
# What steps say that happened in one status; others look for these words.
ON_THE_PHONE = "on the phone"
PASSED_ON = "passed on"


@dataclass(frozen=True)
class Step:
    """One thing that happened: the status that it led to or happened in, and by whom, if it was a person's doing."""

    status: Status
    at: datetime
    person: str | None = None
    name: str | None = None
    detail: str = ""


class Refused(Exception):
    """The event cannot happen to this life. The message is for the person who tried."""


class OutOfOrder(Refused):
    """Something else has to happen first, or it is too late for it."""


class AnotherPhone(Refused):
    """The person who has taken it is on the line with another phone already."""


class _Theirs(Refused):
    def __init__(self, words: str, step: Step) -> None:
        super().__init__(words.format(name=step.name or "Somebody else"))
        self.person, self.name, self.at = step.person, step.name, step.at


class TakenByAnother(_Theirs):
    """Another person has it; `person`, `name` and `at` say who, and since when."""


class AlreadyResolved(_Theirs):
    """It has been dealt with; `person`, `name` and `at` say by whom and when."""


@dataclass(frozen=True)
class Life:
    """One escalation and all that has become of it.

    `due` is when the ladder looks at it again; without one it is on the call-back list, or resolved.
    """

    escalation: Escalation
    status: Status
    steps: tuple[Step, ...]
    due: datetime | None
    version: int = 1  # one more with each change
    tier: int = 0  # the one that was alerted last; the first is 1
    asked: tuple[str, ...] = ()  # those alerted in that tier who can take it
    passed: tuple[str, ...] = ()  # those of them who passed it on
    person: str | None = None  # who holds it or dealt with it, by the id in the roster
    person_name: str | None = None
    leg: str | None = None  # the sid of the call to the person's phone; no other leg may join the caller
    ready: bool = False  # the person on that leg waits for the caller
    caller_joined: bool = False  # the caller is in the conference
    calling_back: bool = False  # the person calls the caller, who is not on the line
    promised: bool = False  # the ladder is at its end, and somebody is to call back

    @property
    def open(self) -> bool:
        """Whether anything is still to be done."""
        return self.status is not Status.RESOLVED

    @property
    def holder(self) -> str | None:
        """Who has taken it and has not let go of it."""
        return self.person if self.status in (Status.ACCEPTED, Status.CONNECTED) else None

    def since(self, status: Status) -> datetime | None:
        """When the life last came to a status; None when it never did."""
        came: datetime | None = None
        before: Status | None = None
        for step in self.steps:
            if step.status is status and before is not status:
                came = step.at
            before = step.status
        return came

    @classmethod
    def queued(cls, escalation: Escalation, at: datetime) -> Self:
        """A new life, at which the ladder is to look at once."""
        return cls(escalation, Status.QUEUED, (Step(Status.QUEUED, at),), due=at)

    def revised(self, escalation: Escalation) -> Self:
        """The agent knows more. An older revision changes nothing."""
        return self if escalation.revision <= self.escalation.revision else self._with(escalation=escalation)

    def look_again(self, due: datetime) -> Self:
        """The ladder looks at it later than was said; whoever works on it sets this so that nobody else does."""
        if self.due is None:
            raise OutOfOrder("Nothing happens to it by itself any more.")
        return self._with(due=due)

    def alerted(self, tier: int, at: datetime, due: datetime, people: tuple[str, ...] = ()) -> Self:
        """The people of a tier have been alerted, and those who can have until `due` to take it."""
        if tier <= self.tier:
            return self
        if self.status is Status.ACCEPTED:  # one of them was faster than this note
            return self._with(tier=tier, asked=people)
        self._must_be(Status.QUEUED, Status.ALERTED)
        passed = self.passed if self.status is Status.QUEUED else ()
        due = at if _everybody(people, passed) else due
        step = Step(Status.ALERTED, at, detail=f"tier {tier}")
        return self._stepped(step, due=due, tier=tier, asked=people, passed=passed)

    def accepted(
        self, person: str, at: datetime, due: datetime, *, name: str | None = None, callback: bool = False
    ) -> Self:
        """A person takes it, and has until `due` to be connected; with `callback` to a caller who is called for that.

        Raises:
            TakenByAnother: when somebody was faster.
        """
        if self.holder == person:
            return self
        self._must_be_free(person)
        step = Step(Status.ACCEPTED, at, person, name, "to call back" if callback else "")
        return self._stepped(step, due=due, person=person, person_name=name, calling_back=callback)

    def ready_on(self, leg: str, person: str, at: datetime, due: datetime) -> Self:
        """The person is on the phone, by the sid of that call, and waits for the caller.

        Raises:
            AnotherPhone: when the same person waits on another phone.
        """
        self._must_be_held_by(person)
        self._must_be_on(leg)
        if self.ready:
            return self
        step = Step(Status.ACCEPTED, at, person, self.person_name, ON_THE_PHONE)
        return self._stepped(step, due=due, leg=leg, ready=True)

    def passed_on(self, person: str, at: datetime, leg: str | None = None) -> Self:
        """A person leaves it to others. Once everybody who was asked has, or the one who held it, others are asked.

        Raises:
            AnotherPhone: when the same person says so on one phone (`leg`) and waits on another.
        """
        if self.holder is None:
            if self.status is Status.CALLBACK or person in self.passed:
                return self
            self._must_be(Status.QUEUED, Status.ALERTED)
            passed = (*self.passed, person)
            due = at if _everybody(self.asked, passed) else self.due
            return self._stepped(Step(self.status, at, person, detail=PASSED_ON), due=due, passed=passed)
        self._must_be_held_by(person)
        self._must_be_on(leg)
        return self.released(at, PASSED_ON, person)

    def released(self, at: datetime, why: str, person: str | None = None) -> Self:
        """Whoever held it did not come. With `person`, only if that is who held it."""
        if person is not None:
            self._must_be_held_by(person)
        self._must_be(Status.ACCEPTED)
        status = Status.CALLBACK if self.promised else Status.ALERTED
        step = Step(status, at, self.person, self.person_name, why)
        passed = (*self.passed, self.person) if self.person and self.person not in self.passed else self.passed
        return self._stepped(step, due=None if self.promised else at, passed=passed, **_NOBODY)

    def caller_joined_conference(self, at: datetime) -> Self:
        """The caller is where the person who waits will be in a moment."""
        if self.caller_joined:
            return self
        self._must_be_ready()
        return self._stepped(Step(Status.ACCEPTED, at, detail="the caller waits"), caller_joined=True)

    def connected(self, at: datetime, due: datetime) -> Self:
        """Person and caller hear each other."""
        if self.status is Status.CONNECTED:
            return self
        self._must_be_ready()
        return self._stepped(Step(Status.CONNECTED, at, self.person, self.person_name), due=due, caller_joined=True)

    def talked(self, at: datetime, seconds: int) -> Self:
        """They have spoken to each other, whoever hung up first."""
        if self.status is Status.RESOLVED:
            return self
        self._must_be(Status.CONNECTED)
        step = Step(Status.RESOLVED, at, self.person, self.person_name, f"talked {seconds} s")
        return self._stepped(step, due=None)

    def expired(self, at: datetime, why: str) -> Self:
        """Nobody took it while there was somebody to ask: now it is to be a call back."""
        if self.status is Status.CALLBACK:
            return self
        self._must_be(Status.QUEUED, Status.ALERTED)
        return self._stepped(Step(Status.EXPIRED, at, detail=why), due=None).callback(at, why)

    def callback(self, at: datetime, why: str) -> Self:
        """The caller has gone, or was called back in vain: it is on the call-back list, and nobody's."""
        if self.status is Status.CALLBACK:
            return self
        self._must_not_be_resolved()
        step = Step(Status.CALLBACK, at, self.holder, self.person_name, why)
        return self._stepped(step, due=None, promised=True, **_NOBODY)

    def resolved(self, person: str, at: datetime, note: str, *, name: str | None = None) -> Self:
        """A person has dealt with it. The same person may say so again, with another note."""
        if self.status is Status.RESOLVED:
            if self.person != person:
                self._must_not_be_resolved()
            if not note or note == self.steps[-1].detail:
                return self
        elif self.holder != person:
            self._must_be_free(person)
        name = name or (self.person_name if self.person == person else None)
        return self._stepped(Step(Status.RESOLVED, at, person, name, note), due=None, person=person, person_name=name)

    def _must_not_be_resolved(self) -> None:
        if self.status is Status.RESOLVED:
            raise AlreadyResolved("{name} has dealt with it already.", self._last(Status.RESOLVED))

    def _must_be_free(self, person: str) -> None:
        self._must_not_be_resolved()
        if self.holder not in (None, person):
            raise TakenByAnother("{name} has taken it.", self._last(Status.ACCEPTED))

    def _must_be_held_by(self, person: str) -> None:
        self._must_be_free(person)
        if self.holder is None:
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

    def _last(self, status: Status) -> Step:
        return next(step for step in reversed(self.steps) if step.status is status and step.person == self.person)

    def _stepped(self, step: Step, **changes: Any) -> Self:
        # Two machines' clocks differ by a little; what comes later was later.
        step = replace(step, at=max(step.at, self.steps[-1].at))
        return self._with(status=step.status, steps=(*self.steps, step), **changes)

    def _with(self, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, **changes)


_NOBODY: dict[str, Any] = {
    **dict.fromkeys(("person", "person_name", "leg")),
    **dict.fromkeys(("ready", "caller_joined", "calling_back"), False),
}


def _everybody(asked: tuple[str, ...], passed: tuple[str, ...]) -> bool:
    return bool(asked) and set(asked) <= set(passed)
