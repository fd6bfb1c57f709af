"""template.yaml: each part may do what its code does, and reaches only its own kinds of items in the table."""

import inspect
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from local.stack.emulator import Emulator
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.calls.transcript import TranscriptEntry
from shared.escalations.queue import EscalationQueue
from shared.escalations.store import OPEN_INDEX, EscalationStore
from shared.on_call.store import KEY
from tests.escalations import CALL_SID, escalation
from tests.permissions import OPERATIONS, TABLE, Asked, Recorder, allows, of_dynamodb, statements
from worker.storage import Storage

ROLES = ["VoiceRole", "AlertsRole", "DeskRole", "WorkerRole"]

CALL, ESCALATION, ROSTER, ALERTS = f"call#{CALL_SID}", f"escalation#{CALL_SID}-1", KEY["pk"]["S"], "alerts"
READS, WRITES = {"GetItem", "Query"}, {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}

# The operations that a role may use on each kind of items.
MAY = {
    "VoiceRole": {CALL: (READS, {"UpdateItem"}), ESCALATION: ({"GetItem"}, set())},
    "AlertsRole": {
        CALL: ({"GetItem"}, {"UpdateItem"}),
        ESCALATION: ({"GetItem"}, {"PutItem"}),
        ROSTER: ({"GetItem"}, set()),
        ALERTS: ({"GetItem"}, {"PutItem", "UpdateItem", "DeleteItem"}),
    },
    "DeskRole": {
        CALL: (READS, {"UpdateItem"}),
        ESCALATION: ({"GetItem"}, {"PutItem"}),
        ROSTER: ({"GetItem"}, set()),
    },
    "WorkerRole": {CALL: (READS, {"PutItem", "UpdateItem", "BatchWriteItem"}), ESCALATION: ({"GetItem"}, set())},
}


def on_table(operation: str, *keys: str, index: str = "") -> Asked:
    return Asked(f"dynamodb:{operation}", TABLE + index, frozenset(keys))


@pytest.mark.parametrize("key", [CALL, ESCALATION, ROSTER, ALERTS, "call", "escalation", "", "open"])
@pytest.mark.parametrize(
    "operation", sorted(OPERATIONS | {"Scan", "PartiQLSelect", "TransactWriteItems", "DeleteTable"})
)
@pytest.mark.parametrize("role", ROLES)
def test_a_part_reaches_its_own_items(role: str, operation: str, key: str) -> None:
    """It reaches no other kind: the worker's tools, which have its role, cannot read or write who is on call."""
    reads, writes = MAY[role].get(key, (set(), set()))
    assert allows(role, on_table(operation, key)) == (operation in reads | writes)


@pytest.mark.parametrize("role", ROLES)
def test_a_batch_is_allowed_as_a_whole(role: str) -> None:
    """A batch with an item of another kind is refused."""
    assert not allows(role, on_table("BatchWriteItem", CALL, ROSTER))
    assert not allows(role, on_table("BatchWriteItem", CALL, ESCALATION))


@pytest.mark.parametrize("role", ROLES)
def test_only_the_desk_lists_open_escalations(role: str) -> None:
    """The index has items of all calls in one partition."""
    asked = on_table("Query", "open", index=f"/index/{OPEN_INDEX}")
    assert allows(role, asked) == (role == "DeskRole")


@pytest.mark.parametrize("role", ROLES)
def test_every_permission_on_the_table_is_for_some_items(role: str) -> None:
    """ForAllValues is also true for a request without keys, so only operations with keys may be allowed."""
    on_the_table = [statement for statement in statements(role) if "dynamodb:" in str(statement["Action"])]
    assert on_the_table
    for statement in on_the_table:
        keys = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        assert all(key.rstrip("*") for key in keys)
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert {action.removeprefix("dynamodb:") for action in actions} <= OPERATIONS


async def test_the_worker_has_the_permissions_that_it_needs(emulator: Emulator, table: str, queue: str) -> None:
    """Calls each method of its storage and checks the SDK's requests."""
    recorder = Recorder({queue: "EscalationQueue"}.__getitem__)
    dynamodb = recorder.listen(boto3.client("dynamodb", **emulator.connection))
    sqs = recorder.listen(boto3.client("sqs", **emulator.connection))
    storage = Storage(CallStore(table, dynamodb), EscalationQueue(queue, sqs), EscalationStore(table, dynamodb))
    turn = TranscriptEntry(role="caller", text="hello", at=datetime.now(UTC))
    methods: dict[Any, dict[str, Any]] = {
        storage.claim_stream: {"call_sid": CALL_SID, "token_id": "t", "caller": "a", "called": "b"},
        storage.record_end: {"call_sid": CALL_SID, "ended": CallEnd.FAILED, "details": {}},
        storage.keep_turns: {"call_sid": CALL_SID, "turns": [(0, turn), (1, turn)]},
        storage.turns: {"call_sid": CALL_SID},
        storage.send: {"escalation": escalation()},
        storage.escalation_record: {"escalation_id": f"{CALL_SID}-1"},
        storage.escalation_records: {"call_sid": CALL_SID},
    }
    there = {name for name, _ in inspect.getmembers(Storage, inspect.iscoroutinefunction) if not name.startswith("_")}
    assert {method.__name__ for method in methods} == there, "a method that is new here"
    for method, arguments in methods.items():
        recorder.asked.clear()
        await method(**arguments)
        assert recorder.asked, method.__name__
        assert not [asked for asked in recorder.asked if not allows("WorkerRole", asked)]
    storage.close()


def test_the_recorder_sees_what_aws_sees() -> None:
    """The recorder reads every key of a batch, and an index by its name."""
    items = [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}, {"DeleteRequest": {"Key": {"pk": {"S": "b"}}}}]
    assert of_dynamodb("BatchWriteItem", {"RequestItems": {"x": items}}) == on_table("BatchWriteItem", "a", "b")
    query = {"IndexName": "i", "KeyConditionExpression": "#o = :o", "ExpressionAttributeValues": {":o": {"S": "open"}}}
    assert of_dynamodb("Query", query) == on_table("Query", "open", index="/index/i")
