"""The life of an escalation: each step."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.escalations.record import (
    AlreadyResolved,
    AnotherPhone,
    Life,
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
def queued() -> Life:
    """A life that has just begun."""
    return Life.queued(escalation(), at(0))


@pytest.fixture
def alerted(queued: Life) -> Life:
    """Maria and Ben have been alerted, and have a minute."""
    return queued.alerted(1, at(1), at(61), alerts_to(MARIA, BEN))


@pytest.fixture
def accepted(alerted: Life) -> Life:
    """Maria has taken it."""
    return alerted.accepted(MARIA, at(10), at(100), name="Maria Lopez")


@pytest.fixture
def ready(accepted: Life) -> Life:
    """Maria waits on the phone."""
    return accepted.ready_on("CA9", MARIA, at(20), at(100))


@pytest.fixture
def connected(ready: Life) -> Life:
    """Maria and the caller hear each other."""
    return ready.caller_joined_conference(at(25)).connected(at(26), at(926))


def test_from_the_queue_to_the_end(connected: Life) -> None:
    """Each step has its time and its person, and each status the moment at which it began."""
    resolved = connected.talked(at(99), 73)
    assert [(step.status, step.at, step.person, step.detail) for step in resolved.steps] == [
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
    assert (resolved.open, resolved.due) == (False, None)
    assert (resolved.person, resolved.person_name, resolved.version) == (MARIA, "Maria Lopez", 7)


def test_a_clock_that_is_behind(alerted: Life) -> None:
    """What happened later has no earlier time."""
    assert alerted.accepted(MARIA, at(0.5), at(100)).steps[-1].at == at(1)


def test_a_revision(accepted: Life) -> None:
    """A later one is taken in, and changes nothing else; an earlier one or the same is not."""
    later = accepted.revised(escalation(revision=2, summary="It is order 13."))
    assert later.escalation.summary == "It is order 13."
    assert (later.status, later.due, later.steps, later.version) == (*status_of(accepted), accepted.version + 1)
    assert later.revised(escalation(revision=2)) is later
    assert later.revised(escalation(revision=1)) is later


def status_of(life: Life) -> tuple[Status, datetime | None, tuple[object, ...]]:
    """What a revision must not change."""
    return life.status, life.due, life.steps


class TestAlerted:
    """Life.alerted, passed_on and expired: the ladder"""

    def test_the_next_tier(self, alerted: Life) -> None:
        """Who passed it on in one tier has not in the next. The same tier again is nothing."""
        second = alerted.passed_on(MARIA, at(5)).alerted(2, at(61), at(121), alerts_to("carla"))
        assert (second.tier, second.left, second.passed, second.due) == (2, ("carla",), (), at(121))
        assert second.alerted(2, at(70), at(200), alerts_to("carla")) is second
        assert second.alerted(1, at(70), at(200), alerts_to(MARIA)) is second

    def test_all_have_passed(self, alerted: Life) -> None:
        """As long as somebody has not, the tier has its time; then the next one is due at once."""
        once = alerted.passed_on(MARIA, at(5))
        assert once.due == at(61)
        assert once.passed_on(MARIA, at(6)) is once
        assert once.passed_on(BEN, at(7)).due == at(7)

    def test_somebody_is_faster_than_the_note(self, queued: Life) -> None:
        """A phone rings before it is written down that it does: nobody loses what they have taken or said."""
        taken = queued.accepted(MARIA, at(1), at(100)).alerted(1, at(2), at(62), alerts_to(MARIA, BEN))
        assert (taken.status, taken.holder, taken.tier, taken.due) == (Status.ACCEPTED, MARIA, 1, at(100))
        left = queued.passed_on(MARIA, at(1)).alerted(1, at(2), at(62), alerts_to(MARIA))
        assert (left.status, left.passed, left.due) == (Status.ALERTED, (MARIA,), at(2))

    def test_too_late(self, connected: Life) -> None:
        """Nobody is alerted of what is on its way to its end."""
        for life in (connected, connected.talked(at(99), 73), connected.callback(at(99), "cut off")):
            with pytest.raises(Refused):
                life.alerted(2, at(100), at(200), alerts_to("carla"))

    def test_expired(self, queued: Life, alerted: Life, accepted: Life) -> None:
        """Nobody took it: that is noted, and it is on the call-back list at once."""
        for life in (queued, alerted):
            expired = life.expired(at(61), "nobody took it")
            assert [step.status for step in expired.steps[-2:]] == [Status.EXPIRED, Status.CALLBACK]
            assert (expired.status, expired.due, expired.promised) == (Status.CALLBACK, None, True)
            assert expired.expired(at(62), "again") is expired
        with pytest.raises(OutOfOrder, match="accepted by now"):
            accepted.expired(at(61), "nobody took it")

    def test_look_again(self, alerted: Life, connected: Life) -> None:
        """The ladder is put off, and nothing else happens."""
        assert alerted.look_again(at(90)).due == at(90)
        assert connected.look_again(at(1800)).steps == connected.steps
        with pytest.raises(OutOfOrder):
            connected.talked(at(99), 73).look_again(at(100))


class TestTheTier:
    """Life.released, passed_on and alert_failed: who of a tier is left, and how long they have"""

    @pytest.fixture
    def rung(self, queued: Life) -> Life:
        """Maria has been alerted by SMS and phone, Ben by phone, and they have five minutes."""
        alerts = (*alerts_to(MARIA), MARIAS_RING, BENS_RING)
        return queued.alerted(1, at(1), at(301), alerts)

    @pytest.mark.parametrize("why", ["the phone could not be made to ring", "nobody picked up", "did not come in time"])
    def test_one_who_did_not_come_is_not_the_tier(self, rung: Life, why: str) -> None:
        """The others have the rest of the time, and so has that person, who has not said that others shall take it."""
        free = rung.accepted(MARIA, at(10), at(160), name="Maria Lopez").released(at(40), why)
        assert (free.status, free.tier, free.due) == (Status.ALERTED, 1, at(301))
        assert (free.left, free.passed) == ((MARIA, BEN), ())
        assert free.steps[-1].detail == why
        assert free.accepted(MARIA, at(50), at(200)).holder == MARIA

    def test_time_was_up_meanwhile(self, alerted: Life) -> None:
        """Then the next tier is due."""
        free = alerted.accepted(MARIA, at(50), at(200)).released(at(80), "nobody picked up")
        assert free.due == at(61)

    def test_a_channel_is_out(self, rung: Life) -> None:
        """Not the person, who has another one; told twice, it is the same."""
        failed = rung.alert_failed(MARIAS_RING, at(30), "nobody picked up", "Maria Lopez")
        assert (failed.left, failed.due) == ((MARIA, BEN), at(301))
        step = failed.steps[-1]
        assert (step.status, step.person, step.name, step.channel) == (Status.ALERTED, MARIA, "Maria Lopez", "phone")
        assert failed.alert_failed(MARIAS_RING, at(31), "again") is failed

    def test_the_last_channel_is_out(self, rung: Life) -> None:
        """Then the person is. Who is out can take it all the same."""
        failed = rung.alert_failed(BENS_RING, at(30), "nobody picked up")
        assert (failed.left, failed.passed, failed.due) == ((MARIA,), (), at(301))
        assert failed.accepted(BEN, at(50), at(200)).holder == BEN

    def test_nobody_is_left(self, rung: Life) -> None:
        """One has passed it on and the other is out: the next tier is due at once."""
        passed = rung.passed_on(MARIA, at(20), name="Maria Lopez")
        assert (passed.steps[-1].name, passed.due) == ("Maria Lopez", at(301))
        assert passed.alert_failed(BENS_RING, at(30), "the line was busy").due == at(30)

    def test_a_call_that_was_answered_is_over(self, queued: Life) -> None:
        """Ben took it on the phone that rang, and hung up: no other way leads to him. Maria was reached by SMS."""
        alerts = (*alerts_to(MARIA), BENS_RING)
        offered = queued.alerted(1, at(1), at(301), alerts).accepted(BEN, at(10), at(160))
        free = offered.ready_on("phone to ben", BEN, at(11), at(160)).released(at(20), "hung up")
        assert free.left == (MARIA,)

    def test_while_somebody_has_it(self, rung: Life) -> None:
        """Ben's phone rings on after Maria has taken it; it counts when she does not come, and is no step of hers."""
        taken = rung.accepted(MARIA, at(10), at(160))
        failed = taken.alert_failed(BENS_RING, at(30), "nobody picked up")
        assert failed.steps == taken.steps
        assert failed.passed_on(MARIA, at(40)).due == at(40)

    def test_it_fails_before_the_note(self, queued: Life) -> None:
        """A line that is busy at once, when the other alerts are still being sent."""
        failed = queued.alert_failed(BENS_RING, at(0.5), "the line was busy", "Ben")
        assert failed.alerted(1, at(1), at(61), (BENS_RING,)).due == at(1)
        assert failed.alerted(1, at(1), at(61), alerts_to(BEN, by="sms")).due == at(61)

    def test_an_alert_of_an_earlier_tier(self, rung: Life) -> None:
        """Somebody in both tiers: the first call ends late, and is not the second one."""
        again = rung.alerted(2, at(301), at(361), (*alerts_to(BEN), *alerts_to("carla", by="phone")))
        failed = again.alert_failed(BENS_RING, at(310), "no key was pressed")
        assert (failed.left, failed.due) == ((BEN, "carla"), at(361))

    def test_a_claim_is_kept(self, rung: Life) -> None:
        """Whoever alerts the next tier is not disturbed by what happens in this one meanwhile."""
        with pytest.raises(OutOfOrder):
            rung.claimed(at(300), at(330))
        claimed = rung.claimed(at(301), at(331))
        free = claimed.accepted(MARIA, at(302), at(452)).released(at(303), "the phone could not be made to ring")
        assert free.due == at(331)
        assert claimed.passed_on(MARIA, at(302)).passed_on(BEN, at(303)).due == at(331)
        assert free.alerted(2, at(304), at(424), alerts_to("carla")).due == at(424)


class TestAccepted:
    """Life.accepted: one person takes it"""

    def test_two_at_once(self, accepted: Life) -> None:
        """The second is told who, and when."""
        with pytest.raises(TakenByAnother, match=r"^Maria Lopez has taken it") as taken:
            accepted.accepted(BEN, at(11), at(101))
        assert (taken.value.person, taken.value.name, taken.value.at) == (MARIA, "Maria Lopez", at(10))

    def test_the_same_person_twice(self, accepted: Life, ready: Life, connected: Life) -> None:
        """A second tap changes nothing, however far it has come."""
        for life in (accepted, ready, connected):
            assert life.accepted(MARIA, at(30), at(130)) is life

    def test_after_the_end(self, connected: Life) -> None:
        """Resolved is resolved, for the person who did it as well."""
        resolved = connected.talked(at(99), 73)
        for person in (MARIA, BEN):
            with pytest.raises(AlreadyResolved, match="Maria Lopez has dealt with it already"):
                resolved.accepted(person, at(100), at(200))

    def test_another_phone(self, ready: Life) -> None:
        """A person is on one phone; the same phone's second request is nothing new."""
        assert ready.ready_on("CA9", MARIA, at(21), at(101)) is ready
        with pytest.raises(AnotherPhone):
            ready.ready_on("CA8", MARIA, at(21), at(101))

    def test_on_the_phone_without_having_taken_it(self, alerted: Life, accepted: Life) -> None:
        """Neither when nobody has, nor when another has."""
        with pytest.raises(OutOfOrder):
            alerted.ready_on("CA9", MARIA, at(20), at(100))
        with pytest.raises(TakenByAnother):
            accepted.ready_on("CA8", BEN, at(20), at(100))

    @pytest.mark.parametrize(
        "let_go", [lambda life: life.released(at(30), "x"), lambda life: life.passed_on(MARIA, at(30))]
    )
    def test_let_go(self, accepted: Life, ready: Life, let_go: Callable[[Life], Life]) -> None:
        """Nothing stays of who held it, and the tier has the rest of its time; another person may take it."""
        for life in (accepted, ready, ready.caller_joined_conference(at(29))):
            free = let_go(life)
            assert (free.status, free.due, free.until) == (Status.ALERTED, at(61), at(61))
            assert (free.holder, free.person, free.person_name, free.leg) == (None, None, None, None)
            assert not any((free.ready, free.caller_joined, free.calling_back))
            assert free.accepted(BEN, at(31), at(131)).ready_on("CA8", BEN, at(40), at(131)).leg == "CA8"

    def test_let_go_by_another(self, accepted: Life, connected: Life) -> None:
        """Nobody can let go of what another holds, nor of a conversation."""
        with pytest.raises(TakenByAnother):
            accepted.passed_on(BEN, at(30))
        with pytest.raises(TakenByAnother):
            accepted.released(at(30), "did not pick up", BEN)
        with pytest.raises(OutOfOrder):
            connected.released(at(30), "x")
        with pytest.raises(OutOfOrder):
            connected.passed_on(MARIA, at(30))

    def test_no_caller_without_a_person(self, alerted: Life, accepted: Life) -> None:
        """The caller joins nobody who is not on the phone."""
        for life in (alerted, accepted):
            assert not life.caller_joined_conference(at(30)).caller_joined
            with pytest.raises(OutOfOrder):
                life.connected(at(30), at(930))

    def test_twice(self, connected: Life) -> None:
        """Twilio repeats what it was not answered."""
        assert connected.caller_joined_conference(at(27)) is connected
        assert connected.connected(at(27), at(927)) is connected
        resolved = connected.talked(at(99), 73)
        assert resolved.talked(at(100), 74) is resolved


class TestTheCallersReturn:
    """Life.return_due: whoever leaves a caller alone, has them fetched back"""

    @pytest.mark.parametrize(
        "leaves",
        [
            lambda life: life.released(at(30), "hung up before the caller came"),
            lambda life: life.passed_on(MARIA, at(30)),
            lambda life: life.resolved(MARIA, at(30), ""),
            lambda life: life.callback(at(30), "the caller could not be reached"),
        ],
        ids=["released", "passed on", "resolved", "not reached"],
    )
    def test_nobody_comes(self, accepted: Life, ready: Life, leaves: Callable[[Life], Life]) -> None:
        """Whatever ends the waiting. Before the person was on the phone, the caller was with the agent."""
        assert not leaves(accepted).caller_alone
        for life in (ready, ready.caller_joined_conference(at(29))):
            alone = leaves(life)
            assert (alone.caller_alone, alone.return_due, alone.talking_on) == (True, at(40), None)
            assert alone.watched
            assert alone.next_look == at(40)

    def test_until_it_is_settled(self, ready: Life) -> None:
        """The ladder tries again and again, also what is resolved or on the list."""
        for alone in (ready.released(at(30), "x"), ready.resolved(MARIA, at(30), ""), ready.callback(at(30), "x")):
            again = alone.look_for_caller(at(50))
            assert (again.return_due, again.steps, again.status) == (at(50), alone.steps, alone.status)
            settled = again.caller_settled()
            assert (settled.caller_alone, settled.due) == (False, alone.due)
            assert settled.watched is alone.open

    def test_somebody_else_takes_it(self, ready: Life) -> None:
        """The caller is theirs, and is fetched back if they do not come either. When they talk, it is settled."""
        taken = ready.released(at(30), "x").accepted(BEN, at(35), at(185))
        assert (taken.caller_alone, taken.next_look) == (False, at(185))
        assert taken.look_for_caller(at(50)) is taken.caller_settled() is taken
        assert taken.released(at(60), "nobody picked up").return_due == at(70)
        talking = taken.ready_on("CA8", BEN, at(60), at(185)).connected(at(65), at(965))
        assert talking.return_due is None

    def test_after_a_conversation(self, connected: Life) -> None:
        """It is made sure that the caller went back when the person left, and nobody who still talks is cut off."""
        for parted in (
            connected.talked(at(99), 73),
            connected.resolved(MARIA, at(99), "Done."),
            connected.callback(at(99), "x"),
        ):
            assert (parted.return_due, parted.talking_on) == (at(109), "CA9")

    def test_the_caller_comes_when_nobody_waits(self, alerted: Life, accepted: Life, connected: Life) -> None:
        """Whatever became of the person meanwhile; who has taken it and is not on the phone yet finds them there."""
        assert alerted.caller_joined_conference(at(30)).return_due == at(40)
        assert alerted.resolved(MARIA, at(20), "").caller_joined_conference(at(30)).caller_alone
        coming = accepted.caller_joined_conference(at(30))
        assert (coming.caller_alone, coming.released(at(50), "x").caller_alone) == (False, True)
        assert connected.talked(at(99), 73).caller_joined_conference(at(100)).steps[-1].detail == "talked 73 s"

    def test_a_person_who_waits_is_looked_after(self, accepted: Life) -> None:
        """The news that they have hung up may get lost."""
        assert (accepted.next_look, accepted.join_by) == (at(100), at(100))
        ready = accepted.ready_on("CA9", MARIA, at(20), at(170))
        assert (ready.next_look, ready.join_by) == (at(30), at(170))


class TestLooks:
    """Life.looked_at: of all the reminders of a look, one makes it"""

    def test_one_at_a_time(self, alerted: Life) -> None:
        """The first to come; the next reminder is for the next look."""
        assert alerted.looks == 0
        looked = alerted.looked_at(0)
        assert (looked.looks, looked.steps) == (1, alerted.steps)
        for late in (0, -1):
            with pytest.raises(OutOfOrder):
                looked.looked_at(late)
        assert looked.looked_at(1).looks == 2


class TestCallback:
    """Life.callback: the caller has gone"""

    def test_the_caller_has_gone(self, queued: Life, alerted: Life, ready: Life, connected: Life) -> None:
        """From wherever it is, it is on the list then, and nobody's."""
        for life in (queued, alerted, ready, connected):
            listed = life.callback(at(30), "the caller hung up")
            assert (listed.status, listed.due, listed.holder, listed.leg) == (Status.CALLBACK, None, None, None)
            assert listed.callback(at(31), "again") is listed

    def test_a_call_back(self, alerted: Life) -> None:
        """A person takes it from the list, is on the phone, and speaks to the caller."""
        taken = alerted.expired(at(61), "nobody took it").accepted(BEN, at(90), at(200), name="Ben", callback=True)
        assert (taken.status, taken.calling_back) == (Status.ACCEPTED, True)
        talked = taken.ready_on("CA8", BEN, at(95), at(200)).connected(at(99), at(999)).talked(at(120), 21)
        assert (talked.status, talked.person) == (Status.RESOLVED, BEN)

    def test_a_call_back_that_reaches_nobody(self, alerted: Life) -> None:
        """It is on the list again, whether the person or the caller did not pick up; others may see to it."""
        taken = alerted.expired(at(61), "nobody took it").accepted(BEN, at(90), at(200), callback=True)
        for back in (
            taken.released(at(95), "did not pick up"),
            taken.callback(at(99), "busy"),
            taken.passed_on(BEN, at(99)),
        ):
            assert (back.status, back.due, back.calling_back) == (Status.CALLBACK, None, False)
            assert back.accepted(MARIA, at(120), at(220), callback=True).holder == MARIA

    def test_passed_on(self, alerted: Life) -> None:
        """What is on the list stays there until somebody takes it."""
        listed = alerted.expired(at(61), "nobody took it")
        assert listed.passed_on(MARIA, at(70)) is listed


class TestResolved:
    """Life.resolved: a person says that it is done"""

    def test_by_whom(self, alerted: Life, accepted: Life) -> None:
        """By the one who holds it, or by anybody when nobody does."""
        for life in (alerted, accepted, alerted.callback(at(2), "gone")):
            done = life.resolved(MARIA, at(30), "Sent a new card.", name="Maria Lopez")
            assert (done.status, done.person, done.person_name) == (Status.RESOLVED, MARIA, "Maria Lopez")
            assert (done.steps[-1].name, done.steps[-1].detail) == ("Maria Lopez", "Sent a new card.")
        assert accepted.resolved(MARIA, at(30), "").person_name == "Maria Lopez"
        with pytest.raises(TakenByAnother):
            accepted.resolved(BEN, at(30), "Mine.")

    def test_a_note_afterwards(self, connected: Life) -> None:
        """The person who spoke to the caller may add one, once; nobody else."""
        noted = connected.talked(at(99), 73).resolved(MARIA, at(110), "Paid back.")
        assert [step.detail for step in noted.steps[-2:]] == ["talked 73 s", "Paid back."]
        assert noted.resolved(MARIA, at(111), "Paid back.") is noted
        assert noted.resolved(MARIA, at(112), "") is noted
        with pytest.raises(AlreadyResolved):
            noted.resolved(BEN, at(113), "Me too.")
