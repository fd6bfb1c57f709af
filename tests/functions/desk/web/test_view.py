"""An escalation's status as one person reads it, and their next action."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.desk.web.view import View, last_failure, view_of
from shared.escalations.callback_numbers import NO_LISTS
from shared.escalations.record import EscalationRecord, Event, SentAlert
from shared.on_call.roster import Person
from tests.escalations import alerts_to, escalation

MARIA = Person(id="maria", name="Maria Lopez", phone="+15550100301", time_zone="Europe/Berlin")
TOPIC = Person(id="topic", name="The night shift", channels=("sns",), topic_arn="arn:aws:sns:us-east-1:000000000000:a")
CREATED = datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)
AT = CREATED + timedelta(minutes=1)
NOW = AT + timedelta(minutes=1)


def record(*events: Event, **fields: Any) -> EscalationRecord:
    """An escalation about which Maria and Ben were alerted, after these events."""
    there = EscalationRecord.queued(escalation(**fields), CREATED).alerted(1, AT, NOW, alerts_to("maria", "ben"))
    for event in events:
        there = event(there)
    return there


def view(*events: Event, me: Person = MARIA, gone: bool = False, **fields: Any) -> View:
    """What person `me` sees of it."""
    there = record(*events, **fields)
    return view_of(there, me, NO_LISTS.to_call(there.escalation), gone=gone, now=NOW)


def takes(person: str, name: str, *, callback: bool = False) -> Event:
    """The event by which a person accepts."""
    return lambda record: record.accepted(person, AT, NOW, name=name, callback=callback)


def is_ready(person: str) -> Event:
    """The event by which the person is ready on the phone."""
    return lambda record: record.ready_on("CA1", person, AT, NOW)


def is_missed(record: EscalationRecord) -> EscalationRecord:
    """The event that Maria did not answer her phone."""
    return record.alert_failed(SentAlert("maria", "phone", "CA5"), AT, "nobody picked up", "Maria Lopez")


def is_connected(record: EscalationRecord) -> EscalationRecord:
    """The event that person and caller are connected."""
    return record.connected(AT, NOW)


MINE, BENS = takes("maria", "Maria Lopez"), takes("ben", "Ben Okafor")


@pytest.mark.parametrize(
    ("events", "gone", "headline", "button"),
    [
        ((), False, "A caller is waiting", "take"),
        ((), True, "Call the caller back", "call-back"),
        ((lambda record: record.expired(AT, "nobody took it"),), False, "A caller is waiting", "take"),
        ((lambda record: record.expired(AT, "nobody took it"),), True, "Call the caller back", "call-back"),
        ((MINE,), False, "Your phone rings", None),
        ((MINE, is_ready("maria")), False, "The caller is coming", None),
        ((takes("maria", "Maria", callback=True), is_ready("maria")), True, "The caller's phone rings", None),
        ((MINE, is_ready("maria"), is_connected), False, "You are talking with the caller", None),
        ((BENS,), False, "Ben Okafor took it", ""),
        ((BENS, is_ready("ben"), is_connected), False, "Ben Okafor is talking with the caller", ""),
        ((lambda record: record.resolved("ben", AT, "done", name="Ben"),), True, "Done", ""),
    ],
    ids=[
        "waiting",
        "gone",
        "on the callback list, and there",
        "on the callback list, and gone",
        "rings",
        "ready",
        "calling back",
        "talking",
        "Ben's",
        "Ben talks",
        "done",
    ],
)
def test_each_state_has_its_words_and_its_button(
    events: tuple[Event, ...], gone: bool, headline: str, button: str | None
) -> None:
    """The button's action; empty for a link to the open calls, None if the person should mind their phone."""
    shown = view(*events, gone=gone)
    assert shown.headline == headline
    assert (shown.big.action if shown.big else None) == button


def test_what_somebody_else_has_is_not_mine_to_change() -> None:
    """It can be neither declined nor resolved."""
    shown = view(BENS)
    assert (shown.may_decline, shown.may_resolve) == (False, False)
    assert shown.explanation == "At 11:01. You need not do anything."  # in Maria's time zone


def test_waiting_ends_when_they_are_connected() -> None:
    """From then on the page shows how long they waited."""
    before, after = view(MINE), view(MINE, is_ready("maria"), is_connected)
    assert (before.waited, before.waiting_words, before.ticking) == ("2 minutes", "Waiting for", True)
    assert (after.waited, after.waiting_words, after.ticking) == ("1 minute", "Waited", False)


def test_a_caller_without_a_number() -> None:
    """The call can be taken while they are on the line, but they cannot be called back."""
    assert view(caller="anonymous").caller == "Number withheld"
    shown = view(caller="anonymous", gone=True)
    assert (shown.headline, shown.big) == ("A caller has hung up", None)
    assert view(caller="anonymous", callback_number="+15550001111", gone=True).big is not None


def test_somebody_without_a_phone() -> None:
    """They are told to call by other means and to resolve it here."""
    shown = view(me=TOPIC)
    assert shown.big is None
    assert "no phone number for you" in shown.hint
    assert shown.may_resolve


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (lambda record: record.unassigned(AT, "nobody picked up", "maria"), "That did not work: nobody picked up."),
        (
            lambda record: record.callback(AT, "the caller could not be reached"),
            "That did not work: the caller could not",
        ),
        (lambda record: record.declined("maria", AT), None),
    ],
    ids=["unassigned", "not reached", "declined"],
)
def test_a_failure_is_shown_to_the_person_who_tried(event: Event, said: str | None) -> None:
    """Nobody else sees it."""
    after = record(MINE, event)
    words = last_failure(after, MARIA)
    assert (words is None) is (said is None)
    assert (words or "").startswith(said or "")
    assert last_failure(after, TOPIC) is None


def test_not_coming_is_not_declining() -> None:
    """The page does not say that they passed it on."""
    assert "passed" not in view(MINE, lambda record: record.unassigned(AT, "nobody picked up", "maria")).explanation
    assert "You passed it on" in view(lambda record: record.declined("maria", AT)).explanation


PHONE = SentAlert("maria", "phone", "CA5")


def test_not_being_reached_is_not_declining() -> None:
    """The page says how they were missed, not as a failure of theirs; they can still accept or decline."""
    missed = view(is_missed)
    assert missed.explanation.startswith(
        "You could not be reached by phone: nobody picked up. You can still take it. They are on the line"
    )
    assert (missed.big and missed.big.action, missed.may_decline) == ("take", True)
    assert missed.history[-1]["words"] == "You could not be reached by phone: nobody picked up"
    assert last_failure(record(is_missed), MARIA) is None
    assert view(is_missed, me=TOPIC).history[-1]["words"].startswith("Maria Lopez could not be reached")


def test_before_anybody_was_alerted() -> None:
    """A line that was busy before the tier was recorded as alerted is shown like any other."""
    queued = EscalationRecord.queued(escalation(), CREATED).alert_failed(PHONE, AT, "the line was busy", "Maria Lopez")
    to_call = NO_LISTS.to_call(queued.escalation)
    words = [line["words"] for line in view_of(queued, TOPIC, to_call, gone=False, now=NOW).history]
    assert words == ["The agent asked for a person", "Maria Lopez could not be reached by phone: the line was busy"]


def test_the_history_tells_it_all() -> None:
    """Each history entry is one line, in the reader's time zone."""
    shown = view(
        BENS,
        lambda record: record.unassigned(AT, "nobody picked up", "ben"),
        lambda record: record.expired(NOW, "nobody took it"),
        takes("maria", "Maria Lopez", callback=True),
        is_ready("maria"),
        is_connected,
        lambda record: record.call_ended(NOW, 73),
    )
    assert [line["words"] for line in shown.history] == [
        "The agent asked for a person",
        "People were alerted: tier 1",
        "Ben Okafor took it",
        "Ben Okafor did not come: nobody picked up",
        "Nobody took it",
        "Put on the callback list",
        "You took it to call back",
        "You picked up the phone",
        "You and the caller were connected",
        "You talked for 1 minute 13 seconds",
    ]
    assert shown.history[0]["clock"] == "11:00"
