"""The record of an escalation: each step."""

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
    """A record that has just begun."""
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
    """Each step has its time and its person, and each status the moment at which it began."""
    resolved = connected.call_ended(at(99), 73)
    assert [(step.status, step.at, step.person, step.detail) for step in resolved.history] == [
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
    """What happened later has no earlier time."""
    assert alerted.accepted(MARIA, at(0.5), at(100)).history[-1].at == at(1)


def test_a_revision(accepted: EscalationRecord) -> None:
    """A later one is taken in, and changes nothing else; an earlier one or the same is not."""
    later = accepted.revised(escalation(revision=2, summary="It is order 13."))
    assert later.escalation.summary == "It is order 13."
    assert (later.status, later.due_at, later.history, later.version) == (*status_of(accepted), accepted.version + 1)
    assert later.revised(escalation(revision=2)) is later
    assert later.revised(escalation(revision=1)) is later


def status_of(record: EscalationRecord) -> tuple[Status, datetime | None, tuple[object, ...]]:
    """What a revision must not change."""
    return record.status, record.due_at, record.history


class TestAlerted:
    """EscalationRecord.alerted, passed_on and expired: the ladder"""

    def test_the_next_tier(self, alerted: EscalationRecord) -> None:
        """Who passed it on in one tier has not in the next. The same tier again is nothing."""
        second = alerted.declined(MARIA, at(5)).alerted(2, at(61), at(121), alerts_to("carla"))
        assert (second.tier, second.candidates, second.declined_by, second.due_at) == (2, ("carla",), (), at(121))
        assert second.alerted(2, at(70), at(200), alerts_to("carla")) is second
        assert second.alerted(1, at(70), at(200), alerts_to(MARIA)) is second

    def test_all_have_passed(self, alerted: EscalationRecord) -> None:
        """As long as somebody has not, the tier has its time; then the next one is due at once."""
        once = alerted.declined(MARIA, at(5))
        assert once.due_at == at(61)
        assert once.declined(MARIA, at(6)) is once
        assert once.declined(BEN, at(7)).due_at == at(7)

    def test_somebody_is_faster_than_the_note(self, queued: EscalationRecord) -> None:
        """A phone rings before it is written down that it does: nobody loses what they have taken or said."""
        taken = queued.accepted(MARIA, at(1), at(100)).alerted(1, at(2), at(62), alerts_to(MARIA, BEN))
        assert (taken.status, taken.assignee, taken.tier, taken.due_at) == (Status.ACCEPTED, MARIA, 1, at(100))
        left = queued.declined(MARIA, at(1)).alerted(1, at(2), at(62), alerts_to(MARIA))
        assert (left.status, left.declined_by, left.due_at) == (Status.ALERTED, (MARIA,), at(2))

    def test_too_late(self, connected: EscalationRecord) -> None:
        """Nobody is alerted of what is on its way to its end."""
        for record in (connected, connected.call_ended(at(99), 73), connected.callback(at(99), "cut off")):
            with pytest.raises(Refused):
                record.alerted(2, at(100), at(200), alerts_to("carla"))

    def test_expired(self, queued: EscalationRecord, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """Nobody took it: that is noted, and it is on the call-back list at once."""
        for record in (queued, alerted):
            expired = record.expired(at(61), "nobody took it")
            assert [step.status for step in expired.history[-2:]] == [Status.EXPIRED, Status.CALLBACK]
            assert (expired.status, expired.due_at, expired.callback_promised) == (Status.CALLBACK, None, True)
            assert expired.expired(at(62), "again") is expired
        with pytest.raises(OutOfOrder, match="accepted by now"):
            accepted.expired(at(61), "nobody took it")

    def test_look_again(self, alerted: EscalationRecord, connected: EscalationRecord) -> None:
        """The ladder is put off, and nothing else happens."""
        assert alerted.rescheduled(at(90)).due_at == at(90)
        assert connected.rescheduled(at(1800)).history == connected.history
        with pytest.raises(OutOfOrder):
            connected.call_ended(at(99), 73).rescheduled(at(100))


class TestTheTier:
    """EscalationRecord.released, passed_on and alert_failed: who of a tier is left, and how long they have"""

    @pytest.fixture
    def rung(self, queued: EscalationRecord) -> EscalationRecord:
        """Maria has been alerted by SMS and phone, Ben by phone, and they have five minutes."""
        alerts = (*alerts_to(MARIA), MARIAS_RING, BENS_RING)
        return queued.alerted(1, at(1), at(301), alerts)

    @pytest.mark.parametrize("why", ["the phone could not be made to ring", "nobody picked up", "did not come in time"])
    def test_one_who_did_not_come_is_not_the_tier(self, rung: EscalationRecord, why: str) -> None:
        """The others have the rest of the time, and so has that person, who has not said that others shall take it."""
        free = rung.accepted(MARIA, at(10), at(160), name="Maria Lopez").unassigned(at(40), why)
        assert (free.status, free.tier, free.due_at) == (Status.ALERTED, 1, at(301))
        assert (free.candidates, free.declined_by) == ((MARIA, BEN), ())
        assert free.history[-1].detail == why
        assert free.accepted(MARIA, at(50), at(200)).assignee == MARIA

    def test_time_was_up_meanwhile(self, alerted: EscalationRecord) -> None:
        """Then the next tier is due."""
        free = alerted.accepted(MARIA, at(50), at(200)).unassigned(at(80), "nobody picked up")
        assert free.due_at == at(61)

    def test_a_channel_is_out(self, rung: EscalationRecord) -> None:
        """Not the person, who has another one; told twice, it is the same."""
        failed = rung.alert_failed(MARIAS_RING, at(30), "nobody picked up", "Maria Lopez")
        assert (failed.candidates, failed.due_at) == ((MARIA, BEN), at(301))
        step = failed.history[-1]
        assert (step.status, step.person, step.name, step.channel) == (Status.ALERTED, MARIA, "Maria Lopez", "phone")
        assert failed.alert_failed(MARIAS_RING, at(31), "again") is failed

    def test_the_last_channel_is_out(self, rung: EscalationRecord) -> None:
        """Then the person is. Who is out can take it all the same."""
        failed = rung.alert_failed(BENS_RING, at(30), "nobody picked up")
        assert (failed.candidates, failed.declined_by, failed.due_at) == ((MARIA,), (), at(301))
        assert failed.accepted(BEN, at(50), at(200)).assignee == BEN

    def test_nobody_is_left(self, rung: EscalationRecord) -> None:
        """One has passed it on and the other is out: the next tier is due at once."""
        passed = rung.declined(MARIA, at(20), name="Maria Lopez")
        assert (passed.history[-1].name, passed.due_at) == ("Maria Lopez", at(301))
        assert passed.alert_failed(BENS_RING, at(30), "the line was busy").due_at == at(30)

    def test_a_call_that_was_answered_is_over(self, queued: EscalationRecord) -> None:
        """Ben took it on the phone that rang, and hung up: no other way leads to him. Maria was reached by SMS."""
        alerts = (*alerts_to(MARIA), BENS_RING)
        offered = queued.alerted(1, at(1), at(301), alerts).accepted(BEN, at(10), at(160))
        free = offered.ready_on("phone to ben", BEN, at(11), at(160)).unassigned(at(20), "hung up")
        assert free.candidates == (MARIA,)

    def test_while_somebody_has_it(self, rung: EscalationRecord) -> None:
        """Ben's phone rings on after Maria has taken it; it counts when she does not come, and is no step of hers."""
        taken = rung.accepted(MARIA, at(10), at(160))
        failed = taken.alert_failed(BENS_RING, at(30), "nobody picked up")
        assert failed.history == taken.history
        assert failed.declined(MARIA, at(40)).due_at == at(40)

    def test_it_fails_before_the_note(self, queued: EscalationRecord) -> None:
        """A line that is busy at once, when the other alerts are still being sent."""
        failed = queued.alert_failed(BENS_RING, at(0.5), "the line was busy", "Ben")
        assert failed.alerted(1, at(1), at(61), (BENS_RING,)).due_at == at(1)
        assert failed.alerted(1, at(1), at(61), alerts_to(BEN, by="sms")).due_at == at(61)

    def test_an_alert_of_an_earlier_tier(self, rung: EscalationRecord) -> None:
        """Somebody in both tiers: the first call ends late, and is not the second one."""
        again = rung.alerted(2, at(301), at(361), (*alerts_to(BEN), *alerts_to("carla", by="phone")))
        failed = again.alert_failed(BENS_RING, at(310), "no key was pressed")
        assert (failed.candidates, failed.due_at) == ((BEN, "carla"), at(361))

    def test_a_claim_is_kept(self, rung: EscalationRecord) -> None:
        """Whoever alerts the next tier is not disturbed by what happens in this one meanwhile."""
        with pytest.raises(OutOfOrder):
            rung.claimed(at(300), at(330))
        claimed = rung.claimed(at(301), at(331))
        free = claimed.accepted(MARIA, at(302), at(452)).unassigned(at(303), "the phone could not be made to ring")
        assert free.due_at == at(331)
        assert claimed.declined(MARIA, at(302)).declined(BEN, at(303)).due_at == at(331)
        assert free.alerted(2, at(304), at(424), alerts_to("carla")).due_at == at(424)


class TestAccepted:
    """EscalationRecord.accepted: one person takes it"""

    def test_two_at_once(self, accepted: EscalationRecord) -> None:
        """The second is told who, and when."""
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
        """Resolved is resolved, for the person who did it as well."""
        resolved = connected.call_ended(at(99), 73)
        for person in (MARIA, BEN):
            with pytest.raises(AlreadyResolved, match="Maria Lopez has dealt with it already"):
                resolved.accepted(person, at(100), at(200))

    def test_another_phone(self, ready: EscalationRecord) -> None:
        """A person is on one phone; the same phone's second request is nothing new."""
        assert ready.ready_on("CA9", MARIA, at(21), at(101)) is ready
        with pytest.raises(AnotherPhone):
            ready.ready_on("CA8", MARIA, at(21), at(101))

    def test_on_the_phone_without_having_taken_it(self, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """Neither when nobody has, nor when another has."""
        with pytest.raises(OutOfOrder):
            alerted.ready_on("CA9", MARIA, at(20), at(100))
        with pytest.raises(TakenByAnother):
            accepted.ready_on("CA8", BEN, at(20), at(100))

    @pytest.mark.parametrize(
        "let_go", [lambda record: record.unassigned(at(30), "x"), lambda record: record.declined(MARIA, at(30))]
    )
    def test_let_go(
        self,
        accepted: EscalationRecord,
        ready: EscalationRecord,
        let_go: Event,
    ) -> None:
        """Nothing stays of who held it, and the tier has the rest of its time; another person may take it."""
        for record in (accepted, ready, ready.caller_joined_conference(at(29))):
            free = let_go(record)
            assert (free.status, free.due_at, free.tier_ends_at) == (Status.ALERTED, at(61), at(61))
            assert (free.assignee, free.person, free.person_name, free.leg) == (None, None, None, None)
            assert not any((free.ready, free.caller_joined, free.calling_back))
            assert free.accepted(BEN, at(31), at(131)).ready_on("CA8", BEN, at(40), at(131)).leg == "CA8"

    def test_let_go_by_another(self, accepted: EscalationRecord, connected: EscalationRecord) -> None:
        """Nobody can let go of what another holds, nor of a conversation."""
        with pytest.raises(TakenByAnother):
            accepted.declined(BEN, at(30))
        with pytest.raises(TakenByAnother):
            accepted.unassigned(at(30), "did not pick up", BEN)
        with pytest.raises(OutOfOrder):
            connected.unassigned(at(30), "x")
        with pytest.raises(OutOfOrder):
            connected.declined(MARIA, at(30))

    def test_no_caller_without_a_person(self, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """The caller joins nobody who is not on the phone."""
        for record in (alerted, accepted):
            assert not record.caller_joined_conference(at(30)).caller_joined
            with pytest.raises(OutOfOrder):
                record.connected(at(30), at(930))

    def test_twice(self, connected: EscalationRecord) -> None:
        """Twilio repeats what it was not answered."""
        assert connected.caller_joined_conference(at(27)) is connected
        assert connected.connected(at(27), at(927)) is connected
        resolved = connected.call_ended(at(99), 73)
        assert resolved.call_ended(at(100), 74) is resolved


class TestTheCallersReturn:
    """EscalationRecord.return_due: whoever leaves a caller alone, has them fetched back"""

    @pytest.mark.parametrize(
        "leaves",
        [
            lambda record: record.unassigned(at(30), "hung up before the caller came"),
            lambda record: record.declined(MARIA, at(30)),
            lambda record: record.resolved(MARIA, at(30), ""),
            lambda record: record.callback(at(30), "the caller could not be reached"),
        ],
        ids=["released", "passed on", "resolved", "not reached"],
    )
    def test_nobody_comes(
        self,
        accepted: EscalationRecord,
        ready: EscalationRecord,
        leaves: Event,
    ) -> None:
        """Whatever ends the waiting. Before the person was on the phone, the caller was with the agent."""
        assert not leaves(accepted).caller_alone
        for record in (ready, ready.caller_joined_conference(at(29))):
            alone = leaves(record)
            assert (alone.caller_alone, alone.return_check_at, alone.talking_on) == (True, at(40), None)
            assert alone.needs_checks
            assert alone.next_check_at == at(40)

    def test_until_it_is_settled(self, ready: EscalationRecord) -> None:
        """The ladder tries again and again, also what is resolved or on the list."""
        for alone in (ready.unassigned(at(30), "x"), ready.resolved(MARIA, at(30), ""), ready.callback(at(30), "x")):
            again = alone.return_check_later(at(50))
            assert (again.return_check_at, again.history, again.status) == (at(50), alone.history, alone.status)
            settled = again.caller_settled()
            assert (settled.caller_alone, settled.due_at) == (False, alone.due_at)
            assert settled.needs_checks is alone.open

    def test_somebody_else_takes_it(self, ready: EscalationRecord) -> None:
        """The caller is theirs, and is fetched back if they do not come either. When they talk, it is settled."""
        taken = ready.unassigned(at(30), "x").accepted(BEN, at(35), at(185))
        assert (taken.caller_alone, taken.next_check_at) == (False, at(185))
        assert taken.return_check_later(at(50)) is taken.caller_settled() is taken
        assert taken.unassigned(at(60), "nobody picked up").return_check_at == at(70)
        talking = taken.ready_on("CA8", BEN, at(60), at(185)).connected(at(65), at(965))
        assert talking.return_check_at is None

    def test_after_a_conversation(self, connected: EscalationRecord) -> None:
        """It is made sure that the caller went back when the person left, and nobody who still talks is cut off."""
        for parted in (
            connected.call_ended(at(99), 73),
            connected.resolved(MARIA, at(99), "Done."),
            connected.callback(at(99), "x"),
        ):
            assert (parted.return_check_at, parted.talking_on) == (at(109), "CA9")

    def test_the_caller_comes_when_nobody_waits(
        self, alerted: EscalationRecord, accepted: EscalationRecord, connected: EscalationRecord
    ) -> None:
        """Whatever became of the person meanwhile; who has taken it and is not on the phone yet finds them there."""
        assert alerted.caller_joined_conference(at(30)).return_check_at == at(40)
        assert alerted.resolved(MARIA, at(20), "").caller_joined_conference(at(30)).caller_alone
        coming = accepted.caller_joined_conference(at(30))
        assert (coming.caller_alone, coming.unassigned(at(50), "x").caller_alone) == (False, True)
        assert connected.call_ended(at(99), 73).caller_joined_conference(at(100)).history[-1].detail == "talked 73 s"

    def test_a_person_who_waits_is_looked_after(self, accepted: EscalationRecord) -> None:
        """The news that they have hung up may get lost."""
        assert (accepted.next_check_at, accepted.join_by) == (at(100), at(100))
        ready = accepted.ready_on("CA9", MARIA, at(20), at(170))
        assert (ready.next_check_at, ready.join_by) == (at(30), at(170))


class TestLooks:
    """EscalationRecord.looked_at: of all the reminders of a look, one makes it"""

    def test_one_at_a_time(self, alerted: EscalationRecord) -> None:
        """The first to come; the next reminder is for the next look."""
        assert alerted.checks == 0
        looked = alerted.check_begun(0)
        assert (looked.checks, looked.history) == (1, alerted.history)
        for late in (0, -1):
            with pytest.raises(OutOfOrder):
                looked.check_begun(late)
        assert looked.check_begun(1).checks == 2


class TestCallback:
    """EscalationRecord.callback: the caller has gone"""

    def test_the_caller_has_gone(
        self, queued: EscalationRecord, alerted: EscalationRecord, ready: EscalationRecord, connected: EscalationRecord
    ) -> None:
        """From wherever it is, it is on the list then, and nobody's."""
        for record in (queued, alerted, ready, connected):
            listed = record.callback(at(30), "the caller hung up")
            assert (listed.status, listed.due_at, listed.assignee, listed.leg) == (Status.CALLBACK, None, None, None)
            assert listed.callback(at(31), "again") is listed

    def test_a_call_back(self, alerted: EscalationRecord) -> None:
        """A person takes it from the list, is on the phone, and speaks to the caller."""
        taken = alerted.expired(at(61), "nobody took it").accepted(BEN, at(90), at(200), name="Ben", callback=True)
        assert (taken.status, taken.calling_back) == (Status.ACCEPTED, True)
        talked = taken.ready_on("CA8", BEN, at(95), at(200)).connected(at(99), at(999)).call_ended(at(120), 21)
        assert (talked.status, talked.person) == (Status.RESOLVED, BEN)

    def test_a_call_back_that_reaches_nobody(self, alerted: EscalationRecord) -> None:
        """It is on the list again, whether the person or the caller did not pick up; others may see to it."""
        taken = alerted.expired(at(61), "nobody took it").accepted(BEN, at(90), at(200), callback=True)
        for back in (
            taken.unassigned(at(95), "did not pick up"),
            taken.callback(at(99), "busy"),
            taken.declined(BEN, at(99)),
        ):
            assert (back.status, back.due_at, back.calling_back) == (Status.CALLBACK, None, False)
            assert back.accepted(MARIA, at(120), at(220), callback=True).assignee == MARIA

    def test_passed_on(self, alerted: EscalationRecord) -> None:
        """What is on the list stays there until somebody takes it."""
        listed = alerted.expired(at(61), "nobody took it")
        assert listed.declined(MARIA, at(70)) is listed


class TestResolved:
    """EscalationRecord.resolved: a person says that it is done"""

    def test_by_whom(self, alerted: EscalationRecord, accepted: EscalationRecord) -> None:
        """By the one who holds it, or by anybody when nobody does."""
        for record in (alerted, accepted, alerted.callback(at(2), "gone")):
            done = record.resolved(MARIA, at(30), "Sent a new card.", name="Maria Lopez")
            assert (done.status, done.person, done.person_name) == (Status.RESOLVED, MARIA, "Maria Lopez")
            assert (done.history[-1].name, done.history[-1].detail) == ("Maria Lopez", "Sent a new card.")
        assert accepted.resolved(MARIA, at(30), "").person_name == "Maria Lopez"
        with pytest.raises(TakenByAnother):
            accepted.resolved(BEN, at(30), "Mine.")

    def test_a_note_afterwards(self, connected: EscalationRecord) -> None:
        """The person who spoke to the caller may add one, once; nobody else."""
        noted = connected.call_ended(at(99), 73).resolved(MARIA, at(110), "Paid back.")
        assert [step.detail for step in noted.history[-2:]] == ["talked 73 s", "Paid back."]
        assert noted.resolved(MARIA, at(111), "Paid back.") is noted
        assert noted.resolved(MARIA, at(112), "") is noted
        with pytest.raises(AlreadyResolved):
            noted.resolved(BEN, at(113), "Me too.")
