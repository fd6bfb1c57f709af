"""The calls in the DynamoDB table: which stream tokens were used, and how each call ended."""

import json
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.aws_clients import failures_as

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Phone numbers are personal data: long enough to look into last month's complaint, and no longer.
KEPT_DAYS = 30


class StoreUnavailable(Exception):
    """The table did not answer, or refused; its cause says why."""


class TokenAlreadyUsed(Exception):
    """This stream token has been used before."""


class CallEnd(StrEnum):
    """How a call's stream ended, as the worker saw it."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    FAILED = "failed"

    @property
    def normal(self) -> bool:
        """Whether the caller got to the end of the conversation."""
        return self is not CallEnd.FAILED


def expires_at() -> int:
    """When an item written now may go, in Unix seconds; the table's time-to-live attribute has the same name."""
    return int(time.time()) + KEPT_DAYS * 24 * 60 * 60


class CallStore:
    """The calls in one table. Blocking, so that an event loop calls it in a thread.

    Every method raises StoreUnavailable when DynamoDB does not do as told.
    """

    def __init__(self, table_name: str, client: "DynamoDBClient") -> None:
        self._table_name = table_name
        self._client = client

    def claim_stream(self, call_sid: str, token_id: str, *, caller: str, called: str) -> None:
        """Marks a stream token as used.

        Raises:
            TokenAlreadyUsed: when it was already; of two claims at the same time, one gets this.
        """
        claim = uuid4().hex
        with failures_as(StoreUnavailable, "claiming a stream token"):
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        "pk": {"S": f"call#{call_sid}"},
                        "sk": {"S": f"stream#{token_id}"},
                        "claim": {"S": claim},
                        "caller": {"S": caller},
                        "called": {"S": called},
                        "expires_at": {"N": str(expires_at())},
                    },
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as refusal:
                # When the answer to a put got lost, the SDK's second attempt meets the item that the first one wrote.
                # The caller must not pay for that with the call.
                # (boto3's stubs do not know of the refused item.)
                there: Any = refusal.response.get("Item", {})
                if there.get("claim", {}).get("S") != claim:
                    raise TokenAlreadyUsed(f"a stream token of call {call_sid} was used a second time") from None

    def record_end(self, call_sid: str, ended: CallEnd, details: Mapping[str, object] | None = None) -> None:
        """Remembers how the call ended. `details` is whatever is worth keeping and can be written as JSON."""
        with failures_as(StoreUnavailable, "recording the end of a call"):
            self._client.put_item(
                TableName=self._table_name,
                Item={
                    "pk": {"S": f"call#{call_sid}"},
                    "sk": {"S": "call"},
                    "ended": {"S": ended.value},
                    "details": {"S": json.dumps(details or {}, default=str)},
                    "expires_at": {"N": str(expires_at())},
                },
            )

    def how_it_ended(self, call_sid: str) -> CallEnd | None:
        """How the call ended, or None when nobody recorded an end."""
        with failures_as(StoreUnavailable, "reading how a call ended"):
            found = self._client.get_item(
                TableName=self._table_name,
                Key={"pk": {"S": f"call#{call_sid}"}, "sk": {"S": "call"}},
                # The worker may have written it a few milliseconds ago.
                ConsistentRead=True,
            )
        item = found.get("Item")
        return CallEnd(item["ended"]["S"]) if item else None
