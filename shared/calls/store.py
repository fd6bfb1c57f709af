"""The calls in the DynamoDB table: which stream tokens were used, what was said, and how each call ended or went on."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.aws_clients import translate_errors
from shared.calls.ending import CallEnd
from shared.calls.transcript import TranscriptEntry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, WriteRequestUnionTypeDef

# Phone numbers are personal data: long enough to look into last month's complaint, and no longer.
KEPT_DAYS = 30
# Of a longer conversation the end is read, which is what anybody goes on from.
LAST_TURNS = 200
# DynamoDB takes no more at once.
_BATCH = 25

# A call, the place in its conversation, and how many resumptions it had had when the stream began that tells of it.
TurnPlace = tuple[str, int, int]


class StoreUnavailable(Exception):
    """The table did not answer, or refused; its cause says why."""


class TokenAlreadyUsed(Exception):
    """This stream token has been used before."""


class ResumedMeanwhile(Exception):
    """The call has been connected again since this stream began, so that what the stream has to tell is old."""


@dataclass(frozen=True)
class RecordedEnd:
    """An end as it was recorded."""

    ended: CallEnd
    details: Mapping[str, object]


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
        with translate_errors(StoreUnavailable, "claiming a stream token"):
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        **_key(call_sid, f"stream#{token_id}"),
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

    def record_end(
        self, call_sid: str, ended: CallEnd, details: Mapping[str, object] | None = None, *, resumptions: int = 0
    ) -> None:
        """Remembers how the call ended. `details` is whatever is worth keeping and can be written as JSON.

        `resumptions` is how many the call had had when the stream began that has ended now. A worker that was cut off
        may write late, when another one has the call already: should that one die, it must not look as if it had ended
        the call in the other's way.

        Raises:
            ResumedMeanwhile: when the call has had more of them by now.
        """
        with translate_errors(StoreUnavailable, "recording the end of a call"):
            try:
                self._client.update_item(  # not put: the same item counts the call's resumptions
                    TableName=self._table_name,
                    Key=_key(call_sid, "call"),
                    UpdateExpression="SET ended = :ended, details = :details, expires_at = :expires_at",
                    ConditionExpression="attribute_not_exists(resumptions) OR resumptions <= :resumptions",
                    ExpressionAttributeValues={
                        ":ended": {"S": ended.value},
                        ":details": {"S": json.dumps(details or {}, default=str)},
                        ":resumptions": {"N": str(resumptions)},
                        ":expires_at": {"N": str(expires_at())},
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise ResumedMeanwhile(f"call {call_sid} was resumed before its end was recorded") from None

    def caller_has_gone(self, call_sid: str) -> None:
        """Remembers that the caller has hung up, unless it is known that the call was over before."""
        self._over(call_sid, CallEnd.CALLER_HUNG_UP)

    def has_failed(self, call_sid: str) -> None:
        """Remembers that nobody can go on with the call, unless it is known that it was over before."""
        self._over(call_sid, CallEnd.FAILED)

    def _over(self, call_sid: str, ended: CallEnd) -> None:
        with translate_errors(StoreUnavailable, "recording that a call is over"):
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(call_sid, "call"),
                    UpdateExpression="SET ended = :ended, expires_at = :expires_at REMOVE details",
                    ConditionExpression="attribute_not_exists(ended) OR ended IN (:moved, :transferred)",
                    ExpressionAttributeValues={
                        ":ended": {"S": ended.value},
                        ":moved": {"S": CallEnd.MOVED.value},
                        ":transferred": {"S": CallEnd.TRANSFERRED.value},
                        ":expires_at": {"N": str(expires_at())},
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return

    def how_it_ended(self, call_sid: str) -> CallEnd | None:
        """How the call ended, or None when nobody recorded an end since it was last resumed."""
        recorded = self.recorded_end(call_sid)
        return recorded.ended if recorded else None

    def recorded_end(self, call_sid: str) -> RecordedEnd | None:
        """The call's end with its details, or None when nobody recorded one since it was last resumed."""
        with translate_errors(StoreUnavailable, "reading how a call ended"):
            found = self._client.get_item(
                TableName=self._table_name,
                Key=_key(call_sid, "call"),
                # The worker may have written it a few milliseconds ago.
                ConsistentRead=True,
            )
        item = found.get("Item", {})
        if "ended" not in item:
            return None
        details = json.loads(item["details"]["S"]) if "details" in item else {}
        return RecordedEnd(CallEnd(item["ended"]["S"]), details)

    def try_return(self, call_sid: str) -> int | None:
        """Takes back that the call was transferred, once for each time that it was.

        Returns:
            How many resumptions the call has had, this not being one; None when it is not transferred.
        """
        with translate_errors(StoreUnavailable, "taking a call back"):
            try:
                updated = self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(call_sid, "call"),
                    UpdateExpression="SET expires_at = :expires_at REMOVE ended, details",
                    ConditionExpression="ended = :transferred",
                    ExpressionAttributeValues={
                        ":transferred": {"S": CallEnd.TRANSFERRED.value},
                        ":expires_at": {"N": str(expires_at())},
                    },
                    ReturnValues="ALL_NEW",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return None
        return int(updated["Attributes"].get("resumptions", {"N": "0"})["N"])

    def try_resume(self, call_sid: str, limit: int) -> int:
        """Counts one more resumption of the call, unless there were `limit` already.

        The end that was recorded is forgotten, since it was not the call's: should the next worker die, it must not
        look as if that one had ended it. Whoever asks twice is counted twice. That happens when Twilio or the SDK
        repeats a request whose answer got lost, and costs the call no more than one of its resumptions.

        Returns:
            Which resumption this is, beginning with 1; 0 when the call may not be resumed again.
        """
        if limit < 1:
            return 0
        with translate_errors(StoreUnavailable, "counting a call's resumptions"):
            try:
                updated = self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(call_sid, "call"),
                    UpdateExpression="ADD resumptions :one SET expires_at = :expires_at REMOVE ended, details",
                    ConditionExpression="attribute_not_exists(resumptions) OR resumptions < :limit",
                    ExpressionAttributeValues={
                        ":one": {"N": "1"},
                        ":limit": {"N": str(limit)},
                        ":expires_at": {"N": str(expires_at())},
                    },
                    ReturnValues="UPDATED_NEW",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return 0
        return int(updated["Attributes"]["resumptions"]["N"])

    def keep_turns(self, turns: Mapping[TurnPlace, TranscriptEntry]) -> None:
        """Keeps turns of any calls, each at its place, many with one request, since it is requests that cost.

        A turn is kept again when it is cut. The last to arrive stays, so a call's turns must not be written by two at
        once. Of two streams of one call, of which the earlier may be late, each writes for itself; what was said to
        the later one counts. On an error some may have been kept, and all may be kept again.
        """
        waiting: list[WriteRequestUnionTypeDef] = [
            {"PutRequest": {"Item": _turn_item(place, turn)}} for place, turn in turns.items()
        ]
        with translate_errors(StoreUnavailable, "keeping turns"):
            while waiting:
                batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
                answer = self._client.batch_write_item(RequestItems={self._table_name: batch})
                refused = answer.get("UnprocessedItems", {}).get(self._table_name, [])
                if len(refused) == len(batch):
                    raise StoreUnavailable("keeping turns: the table takes none")
                waiting += refused

    def turns(self, call_sid: str) -> dict[int, TranscriptEntry]:
        """The last 200 turns of a call in their order, each under its index.

        Some indices may be missing, since a worker dies with what it has not written yet. Whoever goes on with the
        conversation goes on after the highest.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :turn)",
            ExpressionAttributeValues={":pk": {"S": f"call#{call_sid}"}, ":turn": {"S": "turn#"}},
            ScanIndexForward=False,
            ConsistentRead=True,  # the call may have been cut off a moment ago
            PaginationConfig={"MaxItems": LAST_TURNS, "PageSize": LAST_TURNS},
        )
        with translate_errors(StoreUnavailable, "reading a call's turns"):
            items = [item for page in pages for item in page["Items"]]
        return {
            # Of several at one place the one of the latest resumption comes last, and stays.
            int(item["sk"]["S"].split("#")[1]): TranscriptEntry.model_validate_json(item["body"]["S"])
            for item in reversed(items)
        }


def _key(call_sid: str, sort_key: str) -> "dict[str, AttributeValueTypeDef]":
    return {"pk": {"S": f"call#{call_sid}"}, "sk": {"S": sort_key}}


def _turn_item(place: TurnPlace, turn: TranscriptEntry) -> "dict[str, AttributeValueTypeDef]":
    call_sid, index, resumptions = place
    return {
        **_key(call_sid, f"turn#{index:05d}#{resumptions:02d}"),  # sorted as text
        "body": {"S": turn.model_dump_json()},
        "expires_at": {"N": str(expires_at())},
    }
