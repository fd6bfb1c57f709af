"""The escalations in the DynamoDB table, each with its record.

Every change is written on the condition that nobody else has changed the same record meanwhile: of two people who take
one call at the same moment one wins, and the other is told so by the record that the first one left.
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

# A sparse index: only what is open has the attribute. Few are open at a time, so one partition is enough.
OPEN_INDEX = "open-escalations"
OPEN = "open"
# People tap, phones ring off and the ladder looks, all within a second at worst; each attempt lets one of them pass.
ATTEMPTS = 8

_records = TypeAdapter(EscalationRecord)


class NoSuchEscalation(LookupError):
    """The table knows no escalation by this id, or not any more."""


def _nothing(_before: EscalationRecord | None, _after: EscalationRecord) -> None:
    """What happens at a change when nobody asked for more."""


class EscalationStore:
    """The escalations in one table. Blocking; raises StoreUnavailable when DynamoDB does not do as told.

    Args:
        changed: called with the record before (None: it is new) and after each change that was written here.
    """

    def __init__(
        self,
        table_name: str,
        client: "DynamoDBClient",
        changed: Callable[[EscalationRecord | None, EscalationRecord], None] = _nothing,
    ) -> None:
        self._table_name = table_name
        self._client = client
        self._changed = changed

    def upsert(self, escalation: Escalation, at: datetime) -> EscalationRecord:
        """Begins the escalation's record, or takes in what a later revision says.

        The queue may deliver twice and in any order, so neither is an error.
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
        """The escalations of one call, in the order of their numbers. All but the last are over."""
        records: list[EscalationRecord] = []
        while record := self.get(escalation_id_for(call_sid, len(records) + 1)):
            records.append(record)
        return tuple(records)

    def change(self, escalation_id: str, event: Event) -> EscalationRecord:
        """Lets an event happen to the record as it is now, and returns the record after it.

        When somebody else changes it at the same moment, the event happens to what they left instead. An event that
        changes nothing writes nothing.

        Raises:
            Refused: from the event.
            NoSuchEscalation: when there is none by this id.
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
        raise StoreUnavailable(f"changing an escalation: somebody else was faster {ATTEMPTS} times")

    def open(self) -> list[EscalationRecord]:
        """All that is not resolved, the newest last. The latest second's changes may not be in it."""
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
        """Writes the record in place of the version `instead_of`, or as a new one (None); False when that fails."""
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
            # When the answer to a put got lost, the SDK's second attempt meets the item that the first one wrote.
            # (boto3's stubs do not know of the refused item.)
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
        # Of one length, since the index sorts it as text.
        item |= {OPEN: {"S": OPEN}, "created_at": {"S": escalation.created_at.isoformat(timespec="microseconds")}}
    return item


def _record(item: "dict[str, AttributeValueTypeDef]") -> EscalationRecord:
    escalation = Escalation.from_json(item["body"]["S"])
    return _records.validate_python({**json.loads(item["record"]["S"]), "escalation": escalation})
