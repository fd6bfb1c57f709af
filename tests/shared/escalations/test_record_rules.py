"""An escalation record: invariants that hold for any order of events."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.escalations.record import DECLINED, EscalationRecord, Event, Refused, SentAlert, Status
from tests.escalations import escalation

START = datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


# The statuses that one event may lead to from each status; staying is always allowed.
NEXT = {
    Status.QUEUED: {Status.ALERTED, Status.ACCEPTED, Status.EXPIRED, Status.CALLBACK, Status.RESOLVED},
    Status.ALERTED: {Status.ACCEPTED, Status.EXPIRED, Status.CALLBACK, Status.RESOLVED},
    Status.ACCEPTED: {Status.ALERTED, Status.CONNECTED, Status.CALLBACK, Status.RESOLVED},
    Status.CONNECTED: {Status.CALLBACK, Status.RESOLVED},
    Status.EXPIRED: {Status.CALLBACK},
    Status.CALLBACK: {Status.ACCEPTED, Status.RESOLVED},
    Status.RESOLVED: set(),
}
people = st.sampled_from(["maria", "ben", "carla"])
legs = st.sampled_from(["CA7", "CA8", "CA9"])
# A phone call that is an alert is a leg too. The same id in two tiers is one alert.
alerts = st.builds(SentAlert, people, st.sampled_from(["sms", "phone"]), legs | st.sampled_from(["SM1", "SM2"]))
clocks = st.integers(min_value=-2, max_value=30)


class AnyOrder(RuleBasedStateMachine):
    """Events of people, phones, the escalation policy and the caller, in any order and repeated."""

    @initialize()
    def begin(self) -> None:
        """A caller needs a person."""
        self.now = 0.0
        self.record = EscalationRecord.queued(escalation(), at(0))
        self.person_on: dict[str, str] = {}  # by leg
        self.owed = False  # the caller may be alone, and no check has found them elsewhere

    def happens(self, event: Event) -> None:
        """Applies an event, which may be refused, and tracks whether the caller must be sent back."""
        before = self.record
        try:
            self.record = event(before)
        except Refused:
            return
        if self.record is before:
            return
        assert self.record.version > before.version
        if before.assignee and self.record.assignee:
            assert before.assignee == self.record.assignee, "the escalation went from one assignee to another directly"
        if before.awaits_caller and not self.record.awaits_caller:
            self.owed = True
        if self.record.status is Status.CONNECTED:
            self.owed = False

    @rule(seconds=clocks)
    def time_passes(self, seconds: int) -> None:
        """A negative time: another machine's clock is behind."""
        self.now += seconds

    @rule(revision=st.integers(1, 5))
    def the_agent_learns_more(self, revision: int) -> None:
        self.happens(lambda record: record.revised(escalation(revision=revision)))

    @rule(tier=st.integers(1, 3), asked=st.lists(alerts, min_size=1, unique_by=lambda alert: alert.sid))
    def a_tier_is_alerted(self, tier: int, asked: list[SentAlert]) -> None:
        self.happens(lambda record: record.alerted(tier, at(self.now), at(self.now + 60), tuple(asked)))

    @rule(alert=alerts)
    def an_alert_reaches_nobody(self, alert: SentAlert) -> None:
        self.happens(lambda record: record.alert_failed(alert, at(self.now), "nobody picked up"))

    @rule()
    def somebody_alerts_the_next_tier(self) -> None:
        self.happens(lambda record: record.claimed(at(self.now), at(self.now + 30)))

    @rule(check=st.integers(0, 5))
    def a_reminder_comes(self, check: int) -> None:
        self.happens(lambda record: record.check_begun(check))

    @rule()
    def the_policy_checks_later(self) -> None:
        self.happens(lambda record: record.rescheduled(at(self.now + 900)))

    @rule(person=people, callback=st.booleans())
    def somebody_takes_it(self, person: str, callback: bool) -> None:
        self.happens(
            lambda record: record.accepted(person, at(self.now), at(self.now + 90), name=person, callback=callback)
        )

    @rule(person=people, leg=legs)
    def somebody_is_on_the_phone(self, person: str, leg: str) -> None:
        if self.person_on.setdefault(leg, person) == person:  # a phone is one person's
            self.happens(lambda record: record.ready_on(leg, person, at(self.now), at(self.now + 90)))

    @rule(person=people)
    def somebody_declines(self, person: str) -> None:
        self.happens(lambda record: record.declined(person, at(self.now)))

    @rule(person=st.none() | people)
    def a_phone_rings_off(self, person: str | None) -> None:
        self.happens(lambda record: record.unassigned(at(self.now), "did not pick up", person))

    @rule()
    def the_caller_joins(self) -> None:
        never_together = not self.record.caller_joined
        self.happens(lambda record: record.caller_joined_conference(at(self.now)))
        if never_together and not self.record.awaits_caller:
            self.owed = True

    @rule()
    def the_caller_is_not_back_yet(self) -> None:
        self.happens(lambda record: record.return_check_later(at(self.now + 10)))

    @rule()
    def the_caller_is_found_elsewhere(self) -> None:
        """With the agent, or gone. An assignee comes first: the event changes nothing then."""
        if self.record.assignee is None:
            self.owed = False
        self.happens(lambda record: record.caller_settled())

    @rule()
    def both_hear_each_other(self) -> None:
        self.happens(lambda record: record.connected(at(self.now), at(self.now + 900)))

    @rule(seconds=st.integers(0, 999))
    def they_have_talked(self, seconds: int) -> None:
        self.happens(lambda record: record.call_ended(at(self.now), seconds))

    @rule()
    def nobody_took_it(self) -> None:
        self.happens(lambda record: record.expired(at(self.now), "nobody took it"))

    @rule()
    def the_caller_has_gone(self) -> None:
        self.happens(lambda record: record.callback(at(self.now), "the caller hung up"))

    @rule(person=people, note=st.sampled_from(["", "Done."]))
    def somebody_has_dealt_with_it(self, person: str, note: str) -> None:
        self.happens(lambda record: record.resolved(person, at(self.now), note))

    @invariant()
    def there_is_a_next_action(self) -> None:
        """No escalation is forgotten: it is due, on the callback list, or resolved."""
        on_the_list_or_done = self.record.status in (Status.CALLBACK, Status.RESOLVED)
        assert (self.record.due_at is None) == on_the_list_or_done

    @invariant()
    def no_caller_is_left_alone(self) -> None:
        """The caller is sent back until they are found elsewhere, or the escalation has an assignee again."""
        assert self.record.caller_alone == (self.owed and self.record.assignee is None)
        if self.record.caller_alone:
            assert self.record.return_check_at is not None
            assert self.record.next_check_at is not None
            assert self.record.next_check_at <= self.record.return_check_at
            assert self.record.needs_checks

    @invariant()
    def a_tier_has_its_time(self) -> None:
        """It ends earlier only if everybody in it has declined or cannot be reached by any channel."""
        record = self.record
        if (
            record.status is not Status.ALERTED
            or record.tier_ends_at is None
            or record.due_at is None
            or record.due_at >= record.tier_ends_at
        ):
            return
        for alert in record.alerts:
            ids = {other.sid for other in record.alerts if other.person == alert.person}
            assert alert.person in record.declined_by or ids <= set(record.failed_alerts)

    @invariant()
    def only_a_decline_counts_as_one(self) -> None:
        """A person who did not come does not count as having declined."""
        declined = {entry.person for entry in self.record.history if entry.detail == DECLINED}
        assert set(self.record.declined_by) <= declined

    @invariant()
    def one_assignee_on_one_phone(self) -> None:
        """The leg is the assignee's own phone; an unassigned record has neither person nor leg."""
        assigned = self.record.assignee is not None
        assert assigned == (self.record.status in (Status.ACCEPTED, Status.CONNECTED))
        if not assigned and self.record.open:
            assert (self.record.person, self.record.leg, self.record.ready, self.record.caller_joined) == (
                None,
                None,
                False,
                False,
            )
        if self.record.open and self.record.leg:
            assert self.person_on[self.record.leg] == self.record.person
        if self.record.status is Status.CONNECTED:
            assert self.record.leg is not None

    @invariant()
    def the_history_is_possible(self) -> None:
        """It follows `NEXT`, and never goes back in time."""
        history = self.record.history
        assert history[-1].status is self.record.status
        for earlier, later in pairwise(history):
            assert earlier.at <= later.at
            assert later.status is earlier.status or later.status in NEXT[earlier.status]


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=300, stateful_step_count=40)
