"""The escalations in the table, against the emulator."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from local.stack.emulator import Emulator
from shared.calls.store import KEPT_DAYS, StoreUnavailable
from shared.escalations.record import EscalationRecord, Refused, Status, TakenByAnother
from shared.escalations.request import escalation_id_for
from shared.escalations.store import EscalationStore, NoSuchEscalation
from tests.escalations import alerts_to, escalation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ID = escalation().escalation_id
NOW = datetime(2026, 11, 22, 10, 0, 6, 123000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=60)


@pytest.fixture
def escalations(table: str, dynamodb: "DynamoDBClient") -> EscalationStore:
    """The escalations of a new table."""
    return EscalationStore(table, dynamodb)


def kept(escalations: EscalationStore, escalation_id: str = ID) -> EscalationRecord:
    """An existing record."""
    record = escalations.get(escalation_id)
    assert record is not None
    return record


def test_records_of_one_call(escalations: EscalationStore) -> None:
    """In the order of their numbers, up to the first gap, and without another call's."""
    for number in (1, 2, 11):
        escalations.upsert(escalation(escalation_id=escalation_id_for("CA1", number)), NOW)
    escalations.upsert(escalation(escalation_id=escalation_id_for("CA2")), NOW)
    assert [record.escalation.escalation_id for record in escalations.of_call("CA1")] == ["CA1-1", "CA1-2"]
    assert escalations.of_call("CA3") == ()


class TestUpsert:
    """EscalationStore.upsert"""

    def test_what_is_recorded_is_there(self, escalations: EscalationStore) -> None:
        """A new record contains the whole escalation; another id has none."""
        recorded = escalation(summary="Möchte 20 € zurück", callback_number="+15550001111", mood="cross")
        assert escalations.upsert(recorded, NOW) == EscalationRecord.queued(recorded, NOW) == kept(escalations)
        assert escalations.get("another") is None

    def test_the_latest_revision_stays(self, escalations: EscalationStore) -> None:
        """Whatever the order in which the queue delivers them, and however often."""
        for revision in (2, 1, 3, 3, 2):
            record = escalations.upsert(escalation(revision=revision, summary=f"revision {revision}"), NOW)
        assert record == kept(escalations)
        assert (record.escalation.revision, record.escalation.summary) == (3, "revision 3")

    def test_the_first_of_equal_revisions_stays(self, escalations: EscalationStore) -> None:
        """The agent's escalation is not replaced by the one that is sent because the worker died."""
        escalations.upsert(escalation(reason="refund"), NOW)
        assert escalations.upsert(escalation(reason="call_failed"), NOW).escalation.reason == "refund"

    def test_a_record_continues(self, escalations: EscalationStore) -> None:
        """A duplicate message or a later revision does not reset the record."""
        escalations.upsert(escalation(), NOW)
        escalations.change(ID, lambda record: record.accepted("maria", NOW, LATER))
        for revision in (1, 2):
            record = escalations.upsert(escalation(revision=revision), LATER)
            assert (record.status, record.assignee, record.due_at) == (Status.ACCEPTED, "maria", LATER)


class TestChange:
    """EscalationStore.change"""

    def test_every_field_of_a_record_is_kept(self, escalations: EscalationStore) -> None:
        """The record after each event is read back unchanged."""
        escalations.upsert(escalation(mood="cross"), NOW)
        for event in (
            lambda record: record.alerted(1, NOW, LATER, alerts_to("maria", "ben")),
            lambda record: record.declined("ben", NOW),
            lambda record: record.accepted("maria", NOW, LATER, name="Maria Lopez", callback=True),
            lambda record: record.ready_on("CA9", "maria", NOW, LATER),
            lambda record: record.caller_joined_conference(NOW),
            lambda record: record.connected(NOW, LATER),
            lambda record: record.callback(NOW, "cut off"),
        ):
            assert escalations.change(ID, event) == kept(escalations)

    def test_of_many_at_once_one_wins(self, escalations: EscalationStore) -> None:
        """The others are told who did."""
        escalations.upsert(escalation(), NOW)

        def take(person: str) -> str:
            try:
                escalations.change(ID, lambda record: record.accepted(person, NOW, LATER, name=person))
            except TakenByAnother as taken:
                return str(taken.person)
            return person

        with ThreadPoolExecutor(6) as threads:
            winners = set(threads.map(take, [f"person {n}" for n in range(6)]))
        assert winners == {kept(escalations).assignee}

    def test_changes_that_agree(self, escalations: EscalationStore) -> None:
        """Concurrent events are applied one after the other, and none is lost."""
        escalations.upsert(escalation(), NOW)
        with ThreadPoolExecutor(4) as threads:
            list(
                threads.map(
                    lambda n: escalations.change(ID, lambda record: record.declined(f"person {n}", NOW)), range(4)
                )
            )
        assert sorted(kept(escalations).declined_by) == [f"person {n}" for n in range(4)]
        assert kept(escalations).version == 5

    def test_another_change_always_comes_first(self, escalations: EscalationStore) -> None:
        """The store gives up with an error."""
        escalations.upsert(escalation(), NOW)
        others = iter(range(100))

        def slowly(record: EscalationRecord) -> EscalationRecord:
            escalations.change(ID, lambda there: there.declined(f"person {next(others)}", NOW))
            return record.accepted("maria", NOW, LATER)

        with pytest.raises(StoreUnavailable, match="8 concurrent changes came first"):
            escalations.change(ID, slowly)

    def test_an_answer_that_got_lost(self, table: str, emulator: Emulator) -> None:
        """The write succeeds but its answer is lost: the retry does not apply the event a second time."""
        connection = emulator.connection
        connection["config"] = Config(retries={"mode": "standard", "total_max_attempts": 2})  # as our own clients do
        dynamodb = boto3.client("dynamodb", **connection)
        escalations = EscalationStore(table, dynamodb)
        escalations.upsert(escalation(), NOW)
        escalations.change(ID, lambda record: record.accepted("maria", NOW, LATER))
        sent: list[AWSPreparedRequest] = []

        def lose_the_first_answer(request: AWSPreparedRequest, **_: object) -> None:
            sent.append(request)
            if len(sent) == 1:
                URLLib3Session().send(request)
                raise ConnectionClosedError(endpoint_url=request.url)

        dynamodb.meta.events.register("before-send.dynamodb.PutItem", lose_the_first_answer)
        assert escalations.change(ID, lambda record: record.unassigned(NOW, "did not pick up")).status is Status.ALERTED
        assert len(sent) == 2

    def test_an_event_that_changes_nothing(self, escalations: EscalationStore) -> None:
        """Nothing is written for it; a refused event raises."""
        record = escalations.upsert(escalation(), NOW)
        assert escalations.change(ID, lambda there: there) == record == kept(escalations)
        with pytest.raises(Refused):
            escalations.change(ID, lambda there: there.call_ended(NOW, 1))
        with pytest.raises(NoSuchEscalation, match="CA1-1"):
            escalations.change("CA1-1", lambda there: there)

    def test_changed_is_called(self, table: str, dynamodb: "DynamoDBClient") -> None:
        """Once for each change that was written, and for no other."""
        heard: list[tuple[Status | None, Status]] = []
        escalations = EscalationStore(
            table, dynamodb, lambda before, after: heard.append((before.status if before else None, after.status))
        )
        for _ in range(2):
            escalations.upsert(escalation(), NOW)
            escalations.change(ID, lambda record: record.accepted("maria", NOW, LATER))
        assert heard == [(None, Status.QUEUED), (Status.QUEUED, Status.ACCEPTED)]


class TestOpen:
    """EscalationStore.open"""

    def test_what_is_open(self, escalations: EscalationStore) -> None:
        """In the order of their creation, to the fraction of a second, and without resolved ones."""
        moments = [NOW + timedelta(microseconds=n * 500_000) for n in (3, 0, 2, 1)]
        for moment in moments:
            call = f"CA{moment.microsecond}{moment.second}-1"
            escalations.upsert(escalation(escalation_id=call, created_at=moment), NOW)
        assert [record.escalation.created_at for record in escalations.open()] == sorted(moments)
        newest = escalations.open()[-1].escalation.escalation_id
        escalations.change(newest, lambda record: record.resolved("maria", NOW, "done"))
        assert [record.escalation.created_at for record in escalations.open()] == sorted(moments)[:-1]

    def test_more_than_a_page(self, escalations: EscalationStore) -> None:
        """DynamoDB answers with at most 1 MB at a time."""
        for n in range(5):
            escalations.upsert(escalation(escalation_id=f"CA{n}-1", summary="x" * 300_000), NOW)
        assert len(escalations.open()) == 5


def test_items_expire(escalations: EscalationStore, table: str, dynamodb: "DynamoDBClient") -> None:
    """An item has a caller's number and words, so the table's time-to-live attribute is set."""
    escalations.upsert(escalation(), NOW)
    escalations.change(ID, lambda record: record.resolved("maria", NOW, "done"))
    (item,) = dynamodb.scan(TableName=table)["Items"]
    assert time.time() < int(item["expires_at"]["N"]) <= time.time() + KEPT_DAYS * 86_400
    assert "open" not in item


def test_no_table(dynamodb: "DynamoDBClient") -> None:
    """A missing table raises our error."""
    escalations = EscalationStore("no-such-table", dynamodb)
    with pytest.raises(StoreUnavailable, match="recording an escalation"):
        escalations.upsert(escalation(), NOW)
    with pytest.raises(StoreUnavailable, match="reading an escalation"):
        escalations.get("CA1-1")
    with pytest.raises(StoreUnavailable, match="reading an escalation"):
        escalations.change("CA1-1", lambda record: record)
    with pytest.raises(StoreUnavailable, match="listing open escalations"):
        escalations.open()
