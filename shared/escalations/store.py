"""The escalation records in the DynamoDB table.

Each change is a conditional write that fails if the record has changed meanwhile. If two people accept one call at the
same moment, one write succeeds; the other is repeated on the new record, which refuses it.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import TypeAdapter

from shared.aws_clients import translate_errors
from shared.calls.store import StoreUnavailable, expires_at
from shared.escalations.record import EscalationRecord, Event
from shared.escalations.request import Escalation, escalation_id_for

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# A sparse index: only open escalations have the attribute. Few are open at a time, so one partition is enough.
OPEN_INDEX = "open-escalations"
OPEN = "open"
# Taps, ends of calls and checks of the policy may all come within a second; each failed attempt means one was written.
ATTEMPTS = 8

_records = TypeAdapter(EscalationRecord)


class NoSuchEscalation(LookupError):
    """The table has no escalation with this id, or it has expired."""


def _ignore(_before: EscalationRecord | None, _after: EscalationRecord) -> None:
    """The default for `changed`."""


class EscalationStore:
    """The escalations in one table. Blocking; raises StoreUnavailable when DynamoDB fails.

    Args:
        changed: called after each change written here, with the record before (None if it is new) and after.
    """

    def __init__(
        self,
        table_name: str,
        client: "DynamoDBClient",
        changed: Callable[[EscalationRecord | None, EscalationRecord], None] = _ignore,
    ) -> None:
        self._table_name = table_name
        self._client = client
        self._changed = changed

    def upsert(self, escalation: Escalation, at: datetime) -> EscalationRecord:
        """Creates the escalation's record, or takes in a later revision; returns the record.

        The queue may deliver a message twice and in any order, so neither is an error.
        """
        record = EscalationRecord.queued(escalation, at)
        with translate_errors(StoreUnavailable, "recording an escalation"):
            is_new = self._put(record, instead_of=None)
        if not is_new:
            return self.change(escalation.escalation_id, lambda there: there.revised(escalation))
        self._changed(None, record)
        return record

    def get(self, escalation_id: str) -> EscalationRecord | None:
        """The escalation's record as it is now, or None."""
        with translate_errors(StoreUnavailable, "reading an escalation"):
            found = self._client.get_item(TableName=self._table_name, Key=_key(escalation_id), ConsistentRead=True).get(
                "Item"
            )
        return _record(found) if found else None

    def of_call(self, call_sid: str) -> tuple[EscalationRecord, ...]:
        """The records of one call, in the order of their numbers. All but the last are over."""
        records: list[EscalationRecord] = []
        while record := self.get(escalation_id_for(call_sid, len(records) + 1)):
            records.append(record)
        return tuple(records)

    def change(self, escalation_id: str, event: Event) -> EscalationRecord:
        """Applies an event to the current record, writes the result and returns it.

        If another process changes the record at the same moment, the event is applied again to the new record. An event
        that changes nothing writes nothing.

        Raises:
            Refused: from the event.
            NoSuchEscalation: when the table has no such escalation.
        """
        for _ in range(ATTEMPTS):
            before = self.get(escalation_id)
            if before is None:
                raise NoSuchEscalation(f"there is no escalation {escalation_id}")
            after = event(before)
            if after == before:
                return after
            with translate_errors(StoreUnavailable, "changing an escalation"):
                written = self._put(after, instead_of=before.version)
            if written:
                self._changed(before, after)
                return after
        raise StoreUnavailable(f"changing an escalation: {ATTEMPTS} concurrent changes came first")

    def open(self) -> list[EscalationRecord]:
        """All records that are not resolved, the newest last. Changes of the last second may be missing."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            IndexName=OPEN_INDEX,
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": OPEN},
            ExpressionAttributeValues={":open": {"S": OPEN}},
        )
        with translate_errors(StoreUnavailable, "listing open escalations"):
            return [_record(item) for page in pages for item in page["Items"]]

    def _put(self, record: EscalationRecord, *, instead_of: int | None) -> bool:
        """Writes the record in place of version `instead_of`, or as a new one (None); False if another write won."""
        change = uuid4().hex
        condition: Any = {"ConditionExpression": "attribute_not_exists(pk)"}
        if instead_of is not None:
            version = {":version": {"N": str(instead_of)}}
            condition = {"ConditionExpression": "version = :version", "ExpressionAttributeValues": version}
        try:
            self._client.put_item(
                TableName=self._table_name,
                Item={**_item(record), "change": {"S": change}},
                **condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refusal:
            # If the answer to a put is lost, the SDK's retry finds the item that the first attempt wrote.
            # (boto3's stubs lack the item of the failed condition.)
            there: Any = refusal.response.get("Item", {})
            return bool(there.get("change", {}).get("S") == change)
        return True


def _key(escalation_id: str) -> "dict[str, AttributeValueTypeDef]":
    return {"pk": {"S": f"escalation#{escalation_id}"}, "sk": {"S": "escalation"}}


def _item(record: EscalationRecord) -> "dict[str, AttributeValueTypeDef]":
    escalation = record.escalation
    item: dict[str, AttributeValueTypeDef] = {
        **_key(escalation.escalation_id),
        "revision": {"N": str(escalation.revision)},
        "version": {"N": str(record.version)},
        "body": {"S": escalation.to_json()},
        "record": {"S": _records.dump_json(record, exclude={"escalation"}).decode()},
        "expires_at": {"N": str(expires_at())},
    }
    if record.open:
        # Always with microseconds: the index sorts it as text.
        item |= {OPEN: {"S": OPEN}, "created_at": {"S": escalation.created_at.isoformat(timespec="microseconds")}}
    return item


def _record(item: "dict[str, AttributeValueTypeDef]") -> EscalationRecord:
    escalation = Escalation.from_json(item["body"]["S"])
    return _records.validate_python({**json.loads(item["record"]["S"]), "escalation": escalation})
