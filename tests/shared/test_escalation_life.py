"""The life of an escalation: each step, and what holds in any order of steps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.escalation_life import (
    AlreadyResolved,
    AnotherPhone,
    Life,
    OutOfOrder,
    Refused,
    Status,
    TakenByAnother,
    next_step,
)
from tests.escalations import escalation

START = datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)
MARIA, BEN = "maria", "ben"


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
    return queued.alerted(1, at(1), at(61), (MARIA, BEN))


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
    assert (resolved.open, resolved.due, next_step(resolved)) == (False, None, None)
    assert (resolved.person, resolved.person_name, resolved.version) == (MARIA, "Maria Lopez", 7)


def test_what_comes_next(alerted: Life) -> None:
    """As a person would say it."""
    assert next_step(alerted) == "the ladder at 2026-11-22 10:01:06 UTC"
    assert next_step(alerted.callback(at(2), "the caller hung up")) == "on the call-back list"


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
        second = alerted.passed_on(MARIA, at(5)).alerted(2, at(61), at(121), ("carla",))
        assert (second.tier, second.asked, second.passed, second.due) == (2, ("carla",), (), at(121))
        assert second.alerted(2, at(70), at(200), ("carla",)) is second
        assert second.alerted(1, at(70), at(200), (MARIA,)) is second

    def test_all_have_passed(self, alerted: Life) -> None:
        """As long as somebody has not, the tier has its time; then the next one is due at once."""
        once = alerted.passed_on(MARIA, at(5))
        assert once.due == at(61)
        assert once.passed_on(MARIA, at(6)) is once
        assert once.passed_on(BEN, at(7)).due == at(7)

    def test_somebody_is_faster_than_the_note(self, queued: Life) -> None:
        """A phone rings before it is written down that it does: nobody loses what they have taken or said."""
        taken = queued.accepted(MARIA, at(1), at(100)).alerted(1, at(2), at(62), (MARIA, BEN))
        assert (taken.status, taken.holder, taken.tier, taken.due) == (Status.ACCEPTED, MARIA, 1, at(100))
        left = queued.passed_on(MARIA, at(1)).alerted(1, at(2), at(62), (MARIA,))
        assert (left.status, left.passed, left.due) == (Status.ALERTED, (MARIA,), at(2))

    def test_too_late(self, connected: Life) -> None:
        """Nobody is alerted of what is on its way to its end."""
        for life in (connected, connected.talked(at(99), 73), connected.callback(at(99), "cut off")):
            with pytest.raises(Refused):
                life.alerted(2, at(100), at(200), ("carla",))

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
        """Nothing stays of who held it, and the ladder goes on at once; another person may take it."""
        for life in (accepted, ready, ready.caller_joined_conference(at(29))):
            free = let_go(life)
            assert (free.status, free.due, free.passed) == (Status.ALERTED, at(30), (MARIA,))
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
            with pytest.raises(OutOfOrder):
                life.caller_joined_conference(at(30))
            with pytest.raises(OutOfOrder):
                life.connected(at(30), at(930))

    def test_twice(self, connected: Life) -> None:
        """Twilio repeats what it was not answered."""
        assert connected.caller_joined_conference(at(27)) is connected
        assert connected.connected(at(27), at(927)) is connected
        resolved = connected.talked(at(99), 73)
        assert resolved.talked(at(100), 74) is resolved


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


# Where a life may go from each status, in one event; to stay is always allowed.
ARROWS = {
    Status.QUEUED: {Status.ALERTED, Status.ACCEPTED, Status.EXPIRED, Status.CALLBACK, Status.RESOLVED},
    Status.ALERTED: {Status.ACCEPTED, Status.EXPIRED, Status.CALLBACK, Status.RESOLVED},
    Status.ACCEPTED: {Status.ALERTED, Status.CONNECTED, Status.CALLBACK, Status.RESOLVED},
    Status.CONNECTED: {Status.CALLBACK, Status.RESOLVED},
    Status.EXPIRED: {Status.CALLBACK},
    Status.CALLBACK: {Status.ACCEPTED, Status.RESOLVED},
    Status.RESOLVED: set(),
}
people = st.sampled_from([MARIA, BEN, "carla"])
legs = st.sampled_from(["CA7", "CA8", "CA9"])
clocks = st.integers(min_value=-2, max_value=30)


class AnyOrder(RuleBasedStateMachine):
    """People, phones, the ladder and the caller do whatever they like, in any order, and again and again."""

    @initialize()
    def begin(self) -> None:
        """A caller needs a person."""
        self.now = 0.0
        self.life = Life.queued(escalation(), at(0))
        self.person_on: dict[str, str] = {}  # by leg

    def happens(self, event: Callable[[Life], Life]) -> None:
        """An event happens or is refused; whichever, somebody sees to the caller or will."""
        before = self.life
        try:
            self.life = event(before)
        except Refused:
            return
        if self.life is before:
            return
        assert self.life.version > before.version
        if before.holder and self.life.holder:
            assert before.holder == self.life.holder, "a caller was taken from a person who had not let go"

    @rule(seconds=clocks)
    def time_passes(self, seconds: int) -> None:
        """Or another machine's clock is behind."""
        self.now += seconds

    @rule(revision=st.integers(1, 5))
    def the_agent_learns_more(self, revision: int) -> None:
        self.happens(lambda life: life.revised(escalation(revision=revision)))

    @rule(tier=st.integers(1, 3), asked=st.lists(people, min_size=1, unique=True))
    def a_tier_is_alerted(self, tier: int, asked: list[str]) -> None:
        self.happens(lambda life: life.alerted(tier, at(self.now), at(self.now + 60), tuple(asked)))

    @rule()
    def the_ladder_looks_later(self) -> None:
        self.happens(lambda life: life.look_again(at(self.now + 900)))

    @rule(person=people, callback=st.booleans())
    def somebody_takes_it(self, person: str, callback: bool) -> None:
        self.happens(
            lambda life: life.accepted(person, at(self.now), at(self.now + 90), name=person, callback=callback)
        )

    @rule(person=people, leg=legs)
    def somebody_is_on_the_phone(self, person: str, leg: str) -> None:
        if self.person_on.setdefault(leg, person) == person:  # a phone is one person's
            self.happens(lambda life: life.ready_on(leg, person, at(self.now), at(self.now + 90)))

    @rule(person=people)
    def somebody_passes_it_on(self, person: str) -> None:
        self.happens(lambda life: life.passed_on(person, at(self.now)))

    @rule(person=st.none() | people)
    def a_phone_rings_off(self, person: str | None) -> None:
        self.happens(lambda life: life.released(at(self.now), "did not pick up", person))

    @rule()
    def the_caller_joins(self) -> None:
        self.happens(lambda life: life.caller_joined_conference(at(self.now)))

    @rule()
    def both_hear_each_other(self) -> None:
        self.happens(lambda life: life.connected(at(self.now), at(self.now + 900)))

    @rule(seconds=st.integers(0, 999))
    def they_have_talked(self, seconds: int) -> None:
        self.happens(lambda life: life.talked(at(self.now), seconds))

    @rule()
    def nobody_took_it(self) -> None:
        self.happens(lambda life: life.expired(at(self.now), "nobody took it"))

    @rule()
    def the_caller_has_gone(self) -> None:
        self.happens(lambda life: life.callback(at(self.now), "the caller hung up"))

    @rule(person=people, note=st.sampled_from(["", "Done."]))
    def somebody_has_dealt_with_it(self, person: str, note: str) -> None:
        self.happens(lambda life: life.resolved(person, at(self.now), note))

    @invariant()
    def there_is_a_next_step(self) -> None:
        """Nobody is forgotten: the ladder will look, or it is on the list, or it is done."""
        assert (next_step(self.life) is None) == (not self.life.open)
        on_the_list_or_done = self.life.status in (Status.CALLBACK, Status.RESOLVED)
        assert (self.life.due is None) == on_the_list_or_done

    @invariant()
    def one_person_holds_one_caller(self) -> None:
        """By one phone, and that person's own; and nobody's phone when nobody holds it."""
        held = self.life.holder is not None
        assert held == (self.life.status in (Status.ACCEPTED, Status.CONNECTED))
        if not held and self.life.open:
            assert (self.life.person, self.life.leg, self.life.ready, self.life.caller_joined) == (
                None,
                None,
                False,
                False,
            )
        if self.life.open and self.life.leg:
            assert self.person_on[self.life.leg] == self.life.person
        if self.life.status is Status.CONNECTED:
            assert self.life.leg is not None

    @invariant()
    def the_steps_are_a_way(self) -> None:
        """Along the arrows, and never back in time."""
        steps = self.life.steps
        assert steps[-1].status is self.life.status
        for earlier, later in pairwise(steps):
            assert earlier.at <= later.at
            assert later.status is earlier.status or later.status in ARROWS[earlier.status]


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
