"""The escalations in the table, against the emulator."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from local.stack.emulator import Emulator
from shared.calls.store import KEPT_DAYS, StoreUnavailable
from shared.escalations.record import Life, Refused, Status, TakenByAnother
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


def kept(escalations: EscalationStore, escalation_id: str = ID) -> Life:
    """A life that is there."""
    life = escalations.get(escalation_id)
    assert life is not None
    return life


def test_those_of_one_call(escalations: EscalationStore) -> None:
    """By their numbers, from the first on; another call's are not among them."""
    for number in (1, 2, 11):
        escalations.record(escalation(escalation_id=escalation_id_for("CA1", number)), NOW)
    escalations.record(escalation(escalation_id=escalation_id_for("CA2")), NOW)
    assert [life.escalation.escalation_id for life in escalations.of_call("CA1")] == ["CA1-1", "CA1-2"]
    assert escalations.of_call("CA3") == ()


class TestRecord:
    """EscalationStore.record"""

    def test_what_is_recorded_is_there(self, escalations: EscalationStore) -> None:
        """A life begins with the whole escalation; nothing is there under another id."""
        recorded = escalation(summary="Möchte 20 € zurück", callback_number="+15550001111", mood="cross")
        assert escalations.record(recorded, NOW) == Life.queued(recorded, NOW) == kept(escalations)
        assert escalations.get("another") is None

    def test_the_latest_revision_stays(self, escalations: EscalationStore) -> None:
        """In whatever order, and however often, the queue delivers them."""
        for revision in (2, 1, 3, 3, 2):
            life = escalations.record(escalation(revision=revision, summary=f"revision {revision}"), NOW)
        assert life == kept(escalations)
        assert (life.escalation.revision, life.escalation.summary) == (3, "revision 3")

    def test_the_first_of_equal_revisions_stays(self, escalations: EscalationStore) -> None:
        """What the agent said is worth more than the same escalation sent again because the worker died."""
        escalations.record(escalation(reason="refund"), NOW)
        assert escalations.record(escalation(reason="call_failed"), NOW).escalation.reason == "refund"

    def test_a_life_goes_on(self, escalations: EscalationStore) -> None:
        """A message that comes again, or a later revision, does not begin it anew."""
        escalations.record(escalation(), NOW)
        escalations.change(ID, lambda life: life.accepted("maria", NOW, LATER))
        for revision in (1, 2):
            life = escalations.record(escalation(revision=revision), LATER)
            assert (life.status, life.holder, life.due) == (Status.ACCEPTED, "maria", LATER)


class TestChange:
    """EscalationStore.change"""

    def test_every_part_of_a_life_is_kept(self, escalations: EscalationStore) -> None:
        """Whatever an event leaves is what is read back."""
        escalations.record(escalation(mood="cross"), NOW)
        for event in (
            lambda life: life.alerted(1, NOW, LATER, alerts_to("maria", "ben")),
            lambda life: life.passed_on("ben", NOW),
            lambda life: life.accepted("maria", NOW, LATER, name="Maria Lopez", callback=True),
            lambda life: life.ready_on("CA9", "maria", NOW, LATER),
            lambda life: life.caller_joined_conference(NOW),
            lambda life: life.connected(NOW, LATER),
            lambda life: life.callback(NOW, "cut off"),
        ):
            assert escalations.change(ID, event) == kept(escalations)

    def test_of_many_at_once_one_wins(self, escalations: EscalationStore) -> None:
        """The others are told who did."""
        escalations.record(escalation(), NOW)

        def take(person: str) -> str:
            try:
                escalations.change(ID, lambda life: life.accepted(person, NOW, LATER, name=person))
            except TakenByAnother as taken:
                return str(taken.person)
            return person

        with ThreadPoolExecutor(6) as threads:
            winners = set(threads.map(take, [f"person {n}" for n in range(6)]))
        assert winners == {kept(escalations).holder}

    def test_changes_that_agree(self, escalations: EscalationStore) -> None:
        """What happens at the same time happens one after the other, and none is lost."""
        escalations.record(escalation(), NOW)
        with ThreadPoolExecutor(4) as threads:
            list(
                threads.map(lambda n: escalations.change(ID, lambda life: life.passed_on(f"person {n}", NOW)), range(4))
            )
        assert sorted(kept(escalations).passed) == [f"person {n}" for n in range(4)]
        assert kept(escalations).version == 5

    def test_somebody_is_always_faster(self, escalations: EscalationStore) -> None:
        """It is given up, and said so."""
        escalations.record(escalation(), NOW)
        others = iter(range(100))

        def slowly(life: Life) -> Life:
            escalations.change(ID, lambda there: there.passed_on(f"person {next(others)}", NOW))
            return life.accepted("maria", NOW, LATER)

        with pytest.raises(StoreUnavailable, match="somebody else was faster"):
            escalations.change(ID, slowly)

    def test_an_answer_that_got_lost(self, table: str, emulator: Emulator) -> None:
        """The write is done but its answer lost: the event has happened, and does not happen again."""
        connection = emulator.connection
        connection["config"] = Config(retries={"mode": "standard", "total_max_attempts": 2})  # as our own clients do
        dynamodb = boto3.client("dynamodb", **connection)
        escalations = EscalationStore(table, dynamodb)
        escalations.record(escalation(), NOW)
        escalations.change(ID, lambda life: life.accepted("maria", NOW, LATER))
        sent: list[AWSPreparedRequest] = []

        def lose_the_first_answer(request: AWSPreparedRequest, **_: object) -> None:
            sent.append(request)
            if len(sent) == 1:
                URLLib3Session().send(request)
                raise ConnectionClosedError(endpoint_url=request.url)

        dynamodb.meta.events.register("before-send.dynamodb.PutItem", lose_the_first_answer)
        assert escalations.change(ID, lambda life: life.released(NOW, "did not pick up")).status is Status.ALERTED
        assert len(sent) == 2

    def test_what_changes_nothing(self, escalations: EscalationStore) -> None:
        """Nothing is written for it, and a refusal comes through."""
        life = escalations.record(escalation(), NOW)
        assert escalations.change(ID, lambda there: there) == life == kept(escalations)
        with pytest.raises(Refused):
            escalations.change(ID, lambda there: there.talked(NOW, 1))
        with pytest.raises(NoSuchEscalation, match="CA1-1"):
            escalations.change("CA1-1", lambda there: there)

    def test_who_is_told(self, table: str, dynamodb: "DynamoDBClient") -> None:
        """Whoever asked for it hears of each change that was written, and of no other."""
        heard: list[tuple[Status | None, Status]] = []
        escalations = EscalationStore(
            table, dynamodb, lambda before, after: heard.append((before.status if before else None, after.status))
        )
        for _ in range(2):
            escalations.record(escalation(), NOW)
            escalations.change(ID, lambda life: life.accepted("maria", NOW, LATER))
        assert heard == [(None, Status.QUEUED), (Status.QUEUED, Status.ACCEPTED)]


class TestOpen:
    """EscalationStore.open"""

    def test_what_is_open(self, escalations: EscalationStore) -> None:
        """In the order in which the callers asked, to the fraction of a second; what is resolved is gone from it."""
        moments = [NOW + timedelta(microseconds=n * 500_000) for n in (3, 0, 2, 1)]
        for moment in moments:
            call = f"CA{moment.microsecond}{moment.second}-1"
            escalations.record(escalation(escalation_id=call, created_at=moment), NOW)
        assert [life.escalation.created_at for life in escalations.open()] == sorted(moments)
        newest = escalations.open()[-1].escalation.escalation_id
        escalations.change(newest, lambda life: life.resolved("maria", NOW, "done"))
        assert [life.escalation.created_at for life in escalations.open()] == sorted(moments)[:-1]

    def test_more_than_a_page(self, escalations: EscalationStore) -> None:
        """DynamoDB answers with at most 1 MB at a time."""
        for n in range(5):
            escalations.record(escalation(escalation_id=f"CA{n}-1", summary="x" * 300_000), NOW)
        assert len(escalations.open()) == 5


def before_lives_were_kept(escalation_id: str = ID) -> dict[str, Any]:
    """An item as the version before this one wrote it."""
    there = escalation(escalation_id=escalation_id)
    return {
        "pk": {"S": f"escalation#{escalation_id}"},
        "sk": {"S": "escalation"},
        "revision": {"N": "1"},
        "body": {"S": there.to_json()},
        "expires_at": {"N": str(int(time.time()) + 1000)},
    }


def test_an_item_of_the_version_before(escalations: EscalationStore, table: str, dynamodb: "DynamoDBClient") -> None:
    """Everybody was alerted of it then; its life goes on from there, once."""
    dynamodb.put_item(TableName=table, Item=before_lives_were_kept())
    assert (kept(escalations).status, kept(escalations).tier) == (Status.ALERTED, 1)
    assert kept(escalations).due
    assert escalations.record(escalation(), NOW).status is Status.ALERTED

    def take(person: str) -> bool:
        try:
            escalations.change(ID, lambda life: life.accepted(person, NOW, LATER))
        except TakenByAnother:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(take, "abcd")) == 1


def test_what_is_written_goes_again(escalations: EscalationStore, table: str, dynamodb: "DynamoDBClient") -> None:
    """It holds a number and words of a caller, so it has an end in the table's time-to-live attribute."""
    escalations.record(escalation(), NOW)
    escalations.change(ID, lambda life: life.resolved("maria", NOW, "done"))
    (item,) = dynamodb.scan(TableName=table)["Items"]
    assert time.time() < int(item["expires_at"]["N"]) <= time.time() + KEPT_DAYS * 86_400
    assert "open" not in item


def test_no_table(dynamodb: "DynamoDBClient") -> None:
    """A table that is not there is an error of ours."""
    escalations = EscalationStore("no-such-table", dynamodb)
    with pytest.raises(StoreUnavailable, match="recording an escalation"):
        escalations.record(escalation(), NOW)
    with pytest.raises(StoreUnavailable, match="reading an escalation"):
        escalations.get("CA1-1")
    with pytest.raises(StoreUnavailable, match="reading an escalation"):
        escalations.change("CA1-1", lambda life: life)
    with pytest.raises(StoreUnavailable, match="listing open escalations"):
        escalations.open()
