"""An escalation record: each event."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.escalations.record import (
    AlreadyResolved,
    AnotherPhone,
    EscalationRecord,
    Event,
    OutOfOrder,
    Refused,
    Status,
    TakenByAnother,
)
from tests.escalations import alerts_to, escalation

START = datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)
MARIA, BEN = "maria", "ben"
MARIAS_RING, BENS_RING = alerts_to(MARIA, BEN, by="phone")


def at(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


@pytest.fixture
def queued() -> EscalationRecord:
    """A new record."""
    return EscalationRecord.queued(escalation(), at(0))


@pytest.fixture
def alerted(queued: EscalationRecord) -> EscalationRecord:
    """Maria and Ben have been alerted, and have a minute."""
    return queued.alerted(1, at(1), at(61), alerts_to(MARIA, BEN))


@pytest.fixture
def accepted(alerted: EscalationRecord) -> EscalationRecord:
    """Maria has taken it."""
    return alerted.accepted(MARIA, at(10), at(100), name="Maria Lopez")


@pytest.fixture
def ready(accepted: EscalationRecord) -> EscalationRecord:
    """Maria waits on the phone."""
    return accepted.ready_on("CA9", MARIA, at(20), at(100))


@pytest.fixture
def connected(ready: EscalationRecord) -> EscalationRecord:
    """Maria and the caller hear each other."""
    return ready.caller_joined_conference(at(25)).connected(at(26), at(926))


def test_from_the_queue_to_the_end(connected: EscalationRecord) -> None:
    """Each history entry has its time and person; `since` gives the time at which a status began."""
    resolved = connected.call_ended(at(99), 73)
    assert [(entry.status, entry.at, entry.person, entry.detail) for entry in resolved.history] == [
        (Status.QUEUED, at(0), None, ""),
        (Status.ALERTED, at(1), None, "tier 1"),
        (Status.ACCEPTED, at(10), MARIA, ""),
        (Status.ACCEPTED, at(20), MARIA, "on the phone"),
        (Status.ACCEPTED, at(25), None, "the caller waits"),
        (Status.CONNECTED, at(26), MARIA, ""),
        (Status.RESOLVED, at(99), MARIA, "talked 73 s"),
    ]
    assert resolved.since(Status.ACCEPTED) == at(10)
    assert resolved.since(Status.EXPIRED) is None
    assert (resolved.open, resolved.due_at) == (False, None)
    assert (resolved.person, resolved.person_name, resolved.version) == (MARIA, "Maria Lopez", 7)


def test_a_clock_that_is_behind(alerted: EscalationRecord) -> None:
    """A later event never gets an earlier time."""
    assert alerted.accepted(MARIA, at(0.5), at(100)).history[-1].at == at(1)


def test_a_revision(accepted: EscalationRecord) -> None:
    """A later revision replaces the escalation and nothing else; the same or an earlier one is ignored."""
    later = accepted.revised(escalation(revision=2, summary="It is order 13."))
    assert later.escalation.summary == "It is order 13."
    assert (later.status, later.due_at, later.history, later.version) == (*status_of(accepted), accepted.version + 1)
    assert later.revised(escalation(revision=2)) is later
    assert later.revised(escalation(revision=1)) is later


def status_of(record: EscalationRecord) -> tuple[Status, datetime | None, tuple[object, ...]]:
    """What a revision must not change."""
    return record.status, record.due_at, record.history


class TestAlerted:
    """EscalationRecord.alerted, declined, expired and rescheduled: the escalation policy's tiers"""

    def test_the_next_tier(self, alerted: EscalationRecord) -> None:
        """Declining counts for one tier only. Alerting the same tier again changes nothing."""
        second = alerted.declined(MARIA, at(5)).alerted(2, at(61), at(121), alerts_to("carla"))
        assert (second.tier, second.candidates, second.declined_by, second.due_at) == (2, ("carla",), (), at(121))
        assert second.alerted(2, at(70), at(200), alerts_to("carla")) is second
        assert second.alerted(1, at(70), at(200), alerts_to(MARIA)) is second

    def test_all_have_declined(self, alerted: EscalationRecord) -> None:
        """While a candidate is left, the tier keeps its time; after that the next tier is due at once."""
        once = alerted.declined(MARIA, at(5))
        assert once.due_at == at(61)
        assert once.declined(MARIA, at(6)) is once
        assert once.declined(BEN, at(7)).due_at == at(7)

    def test_an_answer_before_the_alert_is_recorded(self, queued: EscalationRecord) -> None:
        """A phone rings before its alert is recorded: an acceptance or refusal meanwhile is kept."""
        taken = queued.accepted(MARIA, at(1), at(100)).alerted(1, at(2), at(62), alerts_to(MARIA, BEN))
        assert (taken.status, taken.assignee, taken.tier, taken.due_at) == (Status.ACCEPTED, MARIA, 1, at(100))
        left = queued.declined(MARIA, at(1)).alerted(1, at(2), at(62), alerts_to(MARIA))
        assert (left.status, left.declined_by, left.due_at) == (Status.ALERTED, (MARIA,), at(2))

    def test_too_late(self, connected: EscalationRecord) -> None:
        """Nobody is alerted once it is connected, resolved or on the callback list."""
        for record in (connected, connected.call_ended(at(99), 73), connected.callback(at(99), "cut off")):
            with pytest.raises(Refused):
                record.alerted(2, at(100), at(200), alerts_to("carla"))

    def test_expired(self, queued: EscalationRecord, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """Nobody accepted: the history says so, and the record is on the callback list at once."""
        for record in (queued, alerted):
            expired = record.expired(at(61), "nobody took it")
            assert [entry.status for entry in expired.history[-2:]] == [Status.EXPIRED, Status.CALLBACK]
            assert (expired.status, expired.due_at, expired.callback_promised) == (Status.CALLBACK, None, True)
            assert expired.expired(at(62), "again") is expired
        with pytest.raises(OutOfOrder, match="accepted by now"):
            accepted.expired(at(61), "nobody took it")

    def test_rescheduled(self, alerted: EscalationRecord, connected: EscalationRecord) -> None:
        """Only the time of the next action changes."""
        assert alerted.rescheduled(at(90)).due_at == at(90)
        assert connected.rescheduled(at(1800)).history == connected.history
        with pytest.raises(OutOfOrder):
            connected.call_ended(at(99), 73).rescheduled(at(100))


class TestTheTier:
    """EscalationRecord.unassigned, declined and alert_failed: who of a tier is left, and how long they have"""

    @pytest.fixture
    def rung(self, queued: EscalationRecord) -> EscalationRecord:
        """Maria has been alerted by SMS and phone, Ben by phone, and they have five minutes."""
        alerts = (*alerts_to(MARIA), MARIAS_RING, BENS_RING)
        return queued.alerted(1, at(1), at(301), alerts)

    @pytest.mark.parametrize("why", ["the phone could not be made to ring", "nobody picked up", "did not come in time"])
    def test_an_assignee_who_does_not_come(self, rung: EscalationRecord, why: str) -> None:
        """The whole tier has the rest of its time, the assignee included, who has not declined."""
        free = rung.accepted(MARIA, at(10), at(160), name="Maria Lopez").unassigned(at(40), why)
        assert (free.status, free.tier, free.due_at) == (Status.ALERTED, 1, at(301))
        assert (free.candidates, free.declined_by) == ((MARIA, BEN), ())
        assert free.history[-1].detail == why
        assert free.accepted(MARIA, at(50), at(200)).assignee == MARIA

    def test_the_tiers_time_is_over_meanwhile(self, alerted: EscalationRecord) -> None:
        """Then the next tier is due."""
        free = alerted.accepted(MARIA, at(50), at(200)).unassigned(at(80), "nobody picked up")
        assert free.due_at == at(61)

    def test_a_channel_fails(self, rung: EscalationRecord) -> None:
        """The person has another channel and stays a candidate. A repeated event changes nothing."""
        failed = rung.alert_failed(MARIAS_RING, at(30), "nobody picked up", "Maria Lopez")
        assert (failed.candidates, failed.due_at) == ((MARIA, BEN), at(301))
        entry = failed.history[-1]
        assert (entry.status, entry.person, entry.name, entry.channel) == (
            Status.ALERTED,
            MARIA,
            "Maria Lopez",
            "phone",
        )
        assert failed.alert_failed(MARIAS_RING, at(31), "again") is failed

    def test_the_last_channel_fails(self, rung: EscalationRecord) -> None:
        """The person is no candidate any more, and can still accept."""
        failed = rung.alert_failed(BENS_RING, at(30), "nobody picked up")
        assert (failed.candidates, failed.declined_by, failed.due_at) == ((MARIA,), (), at(301))
        assert failed.accepted(BEN, at(50), at(200)).assignee == BEN

    def test_nobody_is_left(self, rung: EscalationRecord) -> None:
        """One has declined and the other cannot be reached: the next tier is due at once."""
        passed = rung.declined(MARIA, at(20), name="Maria Lopez")
        assert (passed.history[-1].name, passed.due_at) == ("Maria Lopez", at(301))
        assert passed.alert_failed(BENS_RING, at(30), "the line was busy").due_at == at(30)

    def test_a_call_that_was_answered_is_over(self, queued: EscalationRecord) -> None:
        """Ben accepted on the phone that rang and hung up; he has no other channel. Maria was reached by SMS."""
        alerts = (*alerts_to(MARIA), BENS_RING)
        offered = queued.alerted(1, at(1), at(301), alerts).accepted(BEN, at(10), at(160))
        free = offered.ready_on("phone to ben", BEN, at(11), at(160)).unassigned(at(20), "hung up")
        assert free.candidates == (MARIA,)

    def test_an_alert_fails_while_it_is_assigned(self, rung: EscalationRecord) -> None:
        """Ben's phone rings on after Maria accepted. His failed alert adds no entry, and counts once she declines."""
        taken = rung.accepted(MARIA, at(10), at(160))
        failed = taken.alert_failed(BENS_RING, at(30), "nobody picked up")
        assert failed.history == taken.history
        assert failed.declined(MARIA, at(40)).due_at == at(40)

    def test_an_alert_fails_before_it_is_recorded(self, queued: EscalationRecord) -> None:
        """A line is busy at once, while the other alerts are still being sent."""
        failed = queued.alert_failed(BENS_RING, at(0.5), "the line was busy", "Ben")
        assert failed.alerted(1, at(1), at(61), (BENS_RING,)).due_at == at(1)
        assert failed.alerted(1, at(1), at(61), alerts_to(BEN, by="sms")).due_at == at(61)

    def test_an_alert_of_an_earlier_tier(self, rung: EscalationRecord) -> None:
        """A person is in both tiers: the late end of the first call does not fail the second tier's alert."""
        again = rung.alerted(2, at(301), at(361), (*alerts_to(BEN), *alerts_to("carla", by="phone")))
        failed = again.alert_failed(BENS_RING, at(310), "no key was pressed")
        assert (failed.candidates, failed.due_at) == ((BEN, "carla"), at(361))

    def test_a_lease_is_kept(self, rung: EscalationRecord) -> None:
        """Events in this tier do not make the next tier due while a process has the lease to alert it."""
        with pytest.raises(OutOfOrder):
            rung.claimed(at(300), at(330))
        claimed = rung.claimed(at(301), at(331))
        free = claimed.accepted(MARIA, at(302), at(452)).unassigned(at(303), "the phone could not be made to ring")
        assert free.due_at == at(331)
        assert claimed.declined(MARIA, at(302)).declined(BEN, at(303)).due_at == at(331)
        assert free.alerted(2, at(304), at(424), alerts_to("carla")).due_at == at(424)


class TestAccepted:
    """EscalationRecord.accepted: one person accepts"""

    def test_two_at_once(self, accepted: EscalationRecord) -> None:
        """The second person is told who was first, and when."""
        with pytest.raises(TakenByAnother, match=r"^Maria Lopez has taken it") as taken:
            accepted.accepted(BEN, at(11), at(101))
        assert (taken.value.person, taken.value.name, taken.value.at) == (MARIA, "Maria Lopez", at(10))

    def test_the_same_person_twice(
        self, accepted: EscalationRecord, ready: EscalationRecord, connected: EscalationRecord
    ) -> None:
        """A second tap changes nothing, however far it has come."""
        for record in (accepted, ready, connected):
            assert record.accepted(MARIA, at(30), at(130)) is record

    def test_after_the_end(self, connected: EscalationRecord) -> None:
        """A resolved record cannot be accepted, not even by the person who resolved it."""
        resolved = connected.call_ended(at(99), 73)
        for person in (MARIA, BEN):
            with pytest.raises(AlreadyResolved, match="Maria Lopez has dealt with it already"):
                resolved.accepted(person, at(100), at(200))

    def test_another_phone(self, ready: EscalationRecord) -> None:
        """A person uses one phone; a second request from the same phone changes nothing."""
        assert ready.ready_on("CA9", MARIA, at(21), at(101)) is ready
        with pytest.raises(AnotherPhone):
            ready.ready_on("CA8", MARIA, at(21), at(101))

    def test_on_the_phone_without_having_taken_it(self, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """Refused if nobody has accepted, or another person has."""
        with pytest.raises(OutOfOrder):
            alerted.ready_on("CA9", MARIA, at(20), at(100))
        with pytest.raises(TakenByAnother):
            accepted.ready_on("CA8", BEN, at(20), at(100))

    @pytest.mark.parametrize(
        "leave", [lambda record: record.unassigned(at(30), "x"), lambda record: record.declined(MARIA, at(30))]
    )
    def test_unassigned_again(
        self,
        accepted: EscalationRecord,
        ready: EscalationRecord,
        leave: Event,
    ) -> None:
        """All data of the assignee is gone, the tier has the rest of its time, and another person may accept."""
        for record in (accepted, ready, ready.caller_joined_conference(at(29))):
            free = leave(record)
            assert (free.status, free.due_at, free.tier_ends_at) == (Status.ALERTED, at(61), at(61))
            assert (free.assignee, free.person, free.person_name, free.leg) == (None, None, None, None)
            assert not any((free.ready, free.caller_joined, free.calling_back))
            assert free.accepted(BEN, at(31), at(131)).ready_on("CA8", BEN, at(40), at(131)).leg == "CA8"

    def test_only_the_assignee_can_leave(self, accepted: EscalationRecord, connected: EscalationRecord) -> None:
        """A person cannot decline or unassign another's escalation, nor a conversation."""
        with pytest.raises(TakenByAnother):
            accepted.declined(BEN, at(30))
        with pytest.raises(TakenByAnother):
            accepted.unassigned(at(30), "did not pick up", BEN)
        with pytest.raises(OutOfOrder):
            connected.unassigned(at(30), "x")
        with pytest.raises(OutOfOrder):
            connected.declined(MARIA, at(30))

    def test_no_caller_without_a_person(self, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """The caller is not connected to a person who is not on the phone."""
        for record in (alerted, accepted):
            assert not record.caller_joined_conference(at(30)).caller_joined
            with pytest.raises(OutOfOrder):
                record.connected(at(30), at(930))

    def test_twice(self, connected: EscalationRecord) -> None:
        """Twilio may repeat a request."""
        assert connected.caller_joined_conference(at(27)) is connected
        assert connected.connected(at(27), at(927)) is connected
        resolved = connected.call_ended(at(99), 73)
        assert resolved.call_ended(at(100), 74) is resolved


class TestTheCallersReturn:
    """EscalationRecord.return_check_at: a caller without a person is sent back to the agent"""

    @pytest.mark.parametrize(
        "leaves",
        [
            lambda record: record.unassigned(at(30), "hung up before the caller came"),
            lambda record: record.declined(MARIA, at(30)),
            lambda record: record.resolved(MARIA, at(30), ""),
            lambda record: record.callback(at(30), "the caller could not be reached"),
        ],
        ids=["unassigned", "declined", "resolved", "not reached"],
    )
    def test_nobody_comes(
        self,
        accepted: EscalationRecord,
        ready: EscalationRecord,
        leaves: Event,
    ) -> None:
        """Each event that ends the waiting. Before the person was on the phone, the caller was with the agent."""
        assert not leaves(accepted).caller_alone
        for record in (ready, ready.caller_joined_conference(at(29))):
            alone = leaves(record)
            assert (alone.caller_alone, alone.return_check_at, alone.talking_on) == (True, at(40), None)
            assert alone.needs_checks
            assert alone.next_check_at == at(40)

    def test_until_it_is_settled(self, ready: EscalationRecord) -> None:
        """The escalation policy keeps trying, also if the record is resolved or on the callback list."""
        for alone in (ready.unassigned(at(30), "x"), ready.resolved(MARIA, at(30), ""), ready.callback(at(30), "x")):
            again = alone.return_check_later(at(50))
            assert (again.return_check_at, again.history, again.status) == (at(50), alone.history, alone.status)
            settled = again.caller_settled()
            assert (settled.caller_alone, settled.due_at) == (False, alone.due_at)
            assert settled.needs_checks is alone.open

    def test_another_person_accepts(self, ready: EscalationRecord) -> None:
        """The return checks pause, go on if that person does not come either, and end when the two are connected."""
        taken = ready.unassigned(at(30), "x").accepted(BEN, at(35), at(185))
        assert (taken.caller_alone, taken.next_check_at) == (False, at(185))
        assert taken.return_check_later(at(50)) is taken.caller_settled() is taken
        assert taken.unassigned(at(60), "nobody picked up").return_check_at == at(70)
        talking = taken.ready_on("CA8", BEN, at(60), at(185)).connected(at(65), at(965))
        assert talking.return_check_at is None

    def test_after_a_conversation(self, connected: EscalationRecord) -> None:
        """The return is checked after the person left, and a conversation that still goes on is not cut off."""
        for parted in (
            connected.call_ended(at(99), 73),
            connected.resolved(MARIA, at(99), "Done."),
            connected.callback(at(99), "x"),
        ):
            assert (parted.return_check_at, parted.talking_on) == (at(109), "CA9")

    def test_the_caller_comes_when_nobody_waits(
        self, alerted: EscalationRecord, accepted: EscalationRecord, connected: EscalationRecord
    ) -> None:
        """The caller is alone whatever the person did. An assignee who is not on the phone yet may still join them."""
        assert alerted.caller_joined_conference(at(30)).return_check_at == at(40)
        assert alerted.resolved(MARIA, at(20), "").caller_joined_conference(at(30)).caller_alone
        coming = accepted.caller_joined_conference(at(30))
        assert (coming.caller_alone, coming.unassigned(at(50), "x").caller_alone) == (False, True)
        assert connected.call_ended(at(99), 73).caller_joined_conference(at(100)).history[-1].detail == "talked 73 s"

    def test_a_person_who_waits_is_checked(self, accepted: EscalationRecord) -> None:
        """The event that they have hung up may be lost."""
        assert (accepted.next_check_at, accepted.join_by) == (at(100), at(100))
        ready = accepted.ready_on("CA9", MARIA, at(20), at(170))
        assert (ready.next_check_at, ready.join_by) == (at(30), at(170))


class TestChecks:
    """EscalationRecord.check_begun: of all the reminders for one check, one begins it"""

    def test_one_at_a_time(self, alerted: EscalationRecord) -> None:
        """The first reminder begins the check; the next reminder is for the next check."""
        assert alerted.checks == 0
        begun = alerted.check_begun(0)
        assert (begun.checks, begun.history) == (1, alerted.history)
        for late in (0, -1):
            with pytest.raises(OutOfOrder):
                begun.check_begun(late)
        assert begun.check_begun(1).checks == 2


class TestCallback:
    """EscalationRecord.callback: the caller has gone"""

    def test_the_caller_has_gone(
        self, queued: EscalationRecord, alerted: EscalationRecord, ready: EscalationRecord, connected: EscalationRecord
    ) -> None:
        """From every status it goes to the callback list, unassigned."""
        for record in (queued, alerted, ready, connected):
            listed = record.callback(at(30), "the caller hung up")
            assert (listed.status, listed.due_at, listed.assignee, listed.leg) == (Status.CALLBACK, None, None, None)
            assert listed.callback(at(31), "again") is listed

    def test_a_callback(self, alerted: EscalationRecord) -> None:
        """A person accepts it from the callback list, is on the phone, and talks to the caller."""
        taken = alerted.expired(at(61), "nobody took it").accepted(BEN, at(90), at(200), name="Ben", callback=True)
        assert (taken.status, taken.calling_back) == (Status.ACCEPTED, True)
        talked = taken.ready_on("CA8", BEN, at(95), at(200)).connected(at(99), at(999)).call_ended(at(120), 21)
        assert (talked.status, talked.person) == (Status.RESOLVED, BEN)

    def test_a_callback_that_fails(self, alerted: EscalationRecord) -> None:
        """If the person or the caller does not pick up, it is on the callback list again, for others to accept."""
        taken = alerted.expired(at(61), "nobody took it").accepted(BEN, at(90), at(200), callback=True)
        for back in (
            taken.unassigned(at(95), "did not pick up"),
            taken.callback(at(99), "busy"),
            taken.declined(BEN, at(99)),
        ):
            assert (back.status, back.due_at, back.calling_back) == (Status.CALLBACK, None, False)
            assert back.accepted(MARIA, at(120), at(220), callback=True).assignee == MARIA

    def test_declined(self, alerted: EscalationRecord) -> None:
        """A record on the callback list stays there until somebody accepts it."""
        listed = alerted.expired(at(61), "nobody took it")
        assert listed.declined(MARIA, at(70)) is listed


class TestResolved:
    """EscalationRecord.resolved: a person marks it as dealt with"""

    def test_by_whom(self, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """By the assignee, or by anybody while it is unassigned."""
        for record in (alerted, accepted, alerted.callback(at(2), "gone")):
            done = record.resolved(MARIA, at(30), "Sent a new card.", name="Maria Lopez")
            assert (done.status, done.person, done.person_name) == (Status.RESOLVED, MARIA, "Maria Lopez")
            assert (done.history[-1].name, done.history[-1].detail) == ("Maria Lopez", "Sent a new card.")
        assert accepted.resolved(MARIA, at(30), "").person_name == "Maria Lopez"
        with pytest.raises(TakenByAnother):
            accepted.resolved(BEN, at(30), "Mine.")

    def test_a_note_afterwards(self, connected: EscalationRecord) -> None:
        """Only the person who talked to the caller may add a note; an equal or empty one changes nothing."""
        noted = connected.call_ended(at(99), 73).resolved(MARIA, at(110), "Paid back.")
        assert [entry.detail for entry in noted.history[-2:]] == ["talked 73 s", "Paid back."]
        assert noted.resolved(MARIA, at(111), "Paid back.") is noted
        assert noted.resolved(MARIA, at(112), "") is noted
        with pytest.raises(AlreadyResolved):
            noted.resolved(BEN, at(113), "Me too.")
