"""Which forms are still valid."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from functions.desk.form_tokens import StaleForm, check_form, form_token, form_version
from shared.escalations.record import EscalationRecord
from tests.escalations import alerts_to, escalation

KEY = SecretStr("key")
AT = datetime(2026, 11, 22, 10, 1, tzinfo=UTC)
DUE = AT + timedelta(minutes=1)


def record() -> EscalationRecord:
    """An escalation about which Maria and Ben were alerted."""
    return EscalationRecord.queued(escalation(), AT).alerted(1, AT, DUE, alerts_to("maria", "ben"))


def test_of_this_version() -> None:
    """It is valid."""
    check_form(KEY, form_token(KEY, record(), "maria"), record(), "maria")


@pytest.mark.parametrize(
    "after",
    [
        record().rescheduled(DUE),
        record().revised(escalation(revision=2)),
        record().alerted(2, AT, DUE, alerts_to("ben")),
        record().declined("ben", AT),
        record().expired(AT, "nobody took it"),
    ],
    ids=["rescheduled", "revised", "another tier", "declined", "expired"],
)
def test_after_a_change_that_does_not_matter(after: EscalationRecord) -> None:
    """It is still valid: a person may tap the buttons that their page shows."""
    check_form(KEY, form_token(KEY, record(), "maria"), after, "maria")


def test_after_it_was_assigned_or_resolved() -> None:
    """Each time the form version changes, also when it becomes unassigned."""
    taken = record().accepted("maria", AT, DUE)
    stages = [record(), taken, taken.unassigned(AT, "gone"), taken.resolved("maria", AT, "one")]
    stages.append(stages[-1].resolved("maria", AT, "two"))
    assert [form_version(stage) for stage in stages] == [0, 1, 2, 2, 3]
    for stage in stages[1:]:
        with pytest.raises(StaleForm):
            check_form(KEY, form_token(KEY, record(), "maria"), stage, "maria")


def test_while_the_assignee_stays_the_same() -> None:
    """The version stays the same when the assignee is on the phone, and when they are connected."""
    taken = record().accepted("maria", AT, DUE)
    ready = taken.ready_on("CA1", "maria", AT, DUE)
    assert form_version(taken) == form_version(ready) == form_version(ready.connected(AT, DUE))


@pytest.mark.parametrize("token", ["", "x", "a.b", "\ud800", form_token(SecretStr("another"), record(), "maria")])
def test_not_ours(token: str) -> None:
    """A token that is not ours is not valid."""
    with pytest.raises(StaleForm):
        check_form(KEY, token, record(), "maria")


def test_another_persons_and_another_escalations() -> None:
    """Neither is valid."""
    other = EscalationRecord.queued(escalation(escalation_id="CA2-1"), AT)
    for token in (form_token(KEY, record(), "ben"), form_token(KEY, other, "maria")):
        with pytest.raises(StaleForm):
            check_form(KEY, token, record(), "maria")
