"""The escalations in the DynamoDB table, each with its life.

Every change is written on the condition that nobody else has changed the same life meanwhile: of two people who take
one call at the same moment one wins, and the other is told so by the life that the first one left.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import TypeAdapter

from shared.aws_clients import failures_as
from shared.calls.store import StoreUnavailable, expires_at
from shared.escalations.record import Life, Status, Step
from shared.escalations.request import Escalation, escalation_id_for

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# A sparse index: only what is open has the attribute. Few are open at a time, so one partition is enough.
OPEN_INDEX = "open-escalations"
OPEN = "open"
# People tap, phones ring off and the ladder looks, all within a second at worst; each attempt lets one of them pass.
ATTEMPTS = 8

_lives = TypeAdapter(Life)


class NoSuchEscalation(LookupError):
    """The table knows no escalation by this id, or not any more."""


def _nothing(_before: Life | None, _after: Life) -> None:
    """What happens at a change when nobody asked for more."""


class EscalationStore:
    """The escalations in one table. Blocking; raises StoreUnavailable when DynamoDB does not do as told.

    Args:
        changed: called with the life before (None: it is new) and after each change that was written here.
    """

    def __init__(
        self, table_name: str, client: "DynamoDBClient", changed: Callable[[Life | None, Life], None] = _nothing
    ) -> None:
        self._table_name = table_name
        self._client = client
        self._changed = changed

    def record(self, escalation: Escalation, at: datetime) -> Life:
        """Begins the escalation's life, or takes in what a later revision says.

        The queue may deliver twice and in any order, so neither is an error.
        """
        life = Life.queued(escalation, at)
        with failures_as(StoreUnavailable, "recording an escalation"):
            is_new = self._put(life, "attribute_not_exists(pk)", instead_of=0)
        if not is_new:
            return self.change(escalation.escalation_id, lambda there: there.revised(escalation))
        self._changed(None, life)
        return life

    def get(self, escalation_id: str) -> Life | None:
        """The escalation's life as it is now, or None."""
        with failures_as(StoreUnavailable, "reading an escalation"):
            found = self._client.get_item(TableName=self._table_name, Key=_key(escalation_id), ConsistentRead=True).get(
                "Item"
            )
        return _life(found) if found else None

    def of_call(self, call_sid: str) -> tuple[Life, ...]:
        """The escalations of one call, in the order of their numbers. All but the last are over."""
        lives: list[Life] = []
        while life := self.get(escalation_id_for(call_sid, len(lives) + 1)):
            lives.append(life)
        return tuple(lives)

    def change(self, escalation_id: str, event: Callable[[Life], Life]) -> Life:
        """Lets an event happen to the life as it is now, and returns the life after it.

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
            with failures_as(StoreUnavailable, "changing an escalation"):
                # An item without a version was written before lives were kept.
                written = self._put(after, "attribute_not_exists(version)", instead_of=before.version)
            if written:
                self._changed(before, after)
                return after
        raise StoreUnavailable(f"changing an escalation: somebody else was faster {ATTEMPTS} times")

    def open(self) -> list[Life]:
        """All that is not resolved, the newest last. The latest second's changes may not be in it."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            IndexName=OPEN_INDEX,
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": OPEN},
            ExpressionAttributeValues={":open": {"S": OPEN}},
        )
        with failures_as(StoreUnavailable, "listing open escalations"):
            return [_life(item) for page in pages for item in page["Items"]]

    def _put(self, life: Life, if_also: str, *, instead_of: int) -> bool:
        change = uuid4().hex
        try:
            self._client.put_item(
                TableName=self._table_name,
                Item={**_item(life), "change": {"S": change}},
                ConditionExpression=f"version = :version OR {if_also}",
                ExpressionAttributeValues={":version": {"N": str(instead_of)}},
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


def _item(life: Life) -> "dict[str, AttributeValueTypeDef]":
    escalation = life.escalation
    item: dict[str, AttributeValueTypeDef] = {
        **_key(escalation.escalation_id),
        "revision": {"N": str(escalation.revision)},
        "version": {"N": str(life.version)},
        "body": {"S": escalation.to_json()},
        "life": {"S": _lives.dump_json(life, exclude={"escalation"}).decode()},
        "expires_at": {"N": str(expires_at())},
    }
    if life.open:
        # Of one length, since the index sorts it as text.
        item |= {OPEN: {"S": OPEN}, "created_at": {"S": escalation.created_at.isoformat(timespec="microseconds")}}
    return item


def _life(item: "dict[str, AttributeValueTypeDef]") -> Life:
    escalation = Escalation.from_json(item["body"]["S"])
    if "life" not in item:  # kept by a version of ours that alerted everybody and knew of nothing afterwards
        at = escalation.created_at
        return Life(escalation, Status.ALERTED, (Step(Status.ALERTED, at, detail="tier 1"),), due=at, tier=1)
    return _lives.validate_python({**json.loads(item["life"]["S"]), "escalation": escalation})
