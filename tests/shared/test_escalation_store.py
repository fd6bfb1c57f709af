"""The escalations in the table, against the emulator."""

from typing import TYPE_CHECKING

import pytest

from shared.call_store import StoreUnavailable
from shared.escalation_store import EscalationStore
from tests.escalations import escalation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def escalations(table: str, dynamodb: "DynamoDBClient") -> EscalationStore:
    """The escalations of a new table."""
    return EscalationStore(table, dynamodb)


def test_what_is_recorded_is_there(escalations: EscalationStore) -> None:
    """The whole escalation comes back, and nothing under another id."""
    recorded = escalation(summary="Möchte 20 € zurück", callback_number="+15550001111")
    escalations.record(recorded)
    assert escalations.get(recorded.escalation_id) == recorded
    assert escalations.get("another") is None


def test_the_latest_revision_stays(escalations: EscalationStore) -> None:
    """In whatever order, and however often, the queue delivers them."""
    for revision in (2, 1, 3, 3, 2):
        escalations.record(escalation(revision=revision, summary=f"revision {revision}"))
    kept = escalations.get(escalation().escalation_id)
    assert kept is not None
    assert (kept.revision, kept.summary) == (3, "revision 3")


def test_the_first_of_equal_revisions_stays(escalations: EscalationStore) -> None:
    """What the agent said is worth more than the same escalation sent again because the worker died."""
    escalations.record(escalation(reason="refund"))
    escalations.record(escalation(reason="call_failed"))
    kept = escalations.get(escalation().escalation_id)
    assert kept is not None
    assert kept.reason == "refund"


def test_no_table(dynamodb: "DynamoDBClient") -> None:
    """A table that is not there is an error of ours."""
    escalations = EscalationStore("no-such-table", dynamodb)
    with pytest.raises(StoreUnavailable, match="recording an escalation"):
        escalations.record(escalation())
    with pytest.raises(StoreUnavailable, match="reading an escalation"):
        escalations.get("CA1-1")
