"""The calls in the DynamoDB table: used stream tokens, transcripts, ends of calls and resumptions."""

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

# Phone numbers are personal data: kept long enough to look into last month's complaint, and no longer.
KEPT_DAYS = 30
# Of a longer conversation only the last entries are read, which is what a resumed call needs.
LAST_TURNS = 200
# The most items that DynamoDB takes in one batch.
_BATCH = 25

# The key of a transcript entry: the call, the index in its conversation, and how many resumptions the call had when the
# stream began that writes the entry.
TurnPlace = tuple[str, int, int]


class StoreUnavailable(Exception):
    """The table did not answer, or refused; the exception's cause says why."""


class TokenAlreadyUsed(Exception):
    """This stream token has been used before."""


class ResumedMeanwhile(Exception):
    """The call has been resumed since this stream began, so the stream must not record its end."""


@dataclass(frozen=True)
class RecordedEnd:
    """A call's recorded end, with the details that were recorded."""

    ended: CallEnd
    details: Mapping[str, object]


def expires_at() -> int:
    """When an item written now expires, in Unix seconds; the table's time-to-live attribute has the same name."""
    return int(time.time()) + KEPT_DAYS * 24 * 60 * 60


class CallStore:
    """The calls in one table. Blocking: from an event loop, call it in a thread.

    Every method raises StoreUnavailable when DynamoDB fails.
    """

    def __init__(self, table_name: str, client: "DynamoDBClient") -> None:
        self._table_name = table_name
        self._client = client

    def claim_stream(self, call_sid: str, token_id: str, *, caller: str, called: str) -> None:
        """Marks a stream token as used.

        Raises:
            TokenAlreadyUsed: when it was used before; of two concurrent claims, one gets this.
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
                # If the answer to a put is lost, the SDK's retry finds the item that the first attempt wrote, and the
                # stream must not be refused for that. (boto3's stubs lack the item of the failed condition.)
                there: Any = refusal.response.get("Item", {})
                if there.get("claim", {}).get("S") != claim:
                    raise TokenAlreadyUsed(f"a stream token of call {call_sid} was used a second time") from None

    def record_end(
        self, call_sid: str, ended: CallEnd, details: Mapping[str, object] | None = None, *, resumptions: int = 0
    ) -> None:
        """Records how the call ended. `details` is anything that can be written as JSON.

        `resumptions` is how many the call had when the stream began that has ended now. A worker that was cut off may
        write late, after another worker has resumed the call; its end must not stand as the end of the resumed call.

        Raises:
            ResumedMeanwhile: when the call has had more resumptions since.
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
        """Records that the caller has hung up, unless another end of the call is final already."""
        self._over(call_sid, CallEnd.CALLER_HUNG_UP)

    def has_failed(self, call_sid: str) -> None:
        """Records that the call has failed for good, unless another end of the call is final already."""
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
        """How the call ended, or None if no end was recorded since it was last resumed."""
        recorded = self.recorded_end(call_sid)
        return recorded.ended if recorded else None

    def recorded_end(self, call_sid: str) -> RecordedEnd | None:
        """The call's end with its details, or None if none was recorded since it was last resumed."""
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
        """Removes the call's recorded end if that is a transfer: each transfer allows one return to the agent.

        Returns:
            How many resumptions the call has had, not counting this return; None if it is not transferred.
        """
        with translate_errors(StoreUnavailable, "returning a transferred call"):
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
        """Counts one more resumption of the call, unless it has had `limit` already.

        Removes the recorded end, which was not final: if the next worker dies, the call must have no end on record.
        A repeated request counts twice. Twilio or the SDK repeats one whose answer was lost, which costs the call one
        of its resumptions.

        Returns:
            The number of this resumption, from 1; 0 if the call may not be resumed again.
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
        """Writes transcript entries of any calls under their keys, many with one request, because requests are slow.

        An entry is written again when it is cut short. The last write wins, so only one writer at a time may write the
        entries of one stream. Two streams of one call, of which the earlier may write late, have different keys; the
        later stream's entry counts. After an error some entries may be written, and all may be written again.
        """
        waiting: list[WriteRequestUnionTypeDef] = [
            {"PutRequest": {"Item": _entry_item(place, entry)}} for place, entry in turns.items()
        ]
        with translate_errors(StoreUnavailable, "writing transcript entries"):
            while waiting:
                batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
                answer = self._client.batch_write_item(RequestItems={self._table_name: batch})
                refused = answer.get("UnprocessedItems", {}).get(self._table_name, [])
                if len(refused) == len(batch):
                    raise StoreUnavailable("writing transcript entries: DynamoDB took none of them")
                waiting += refused

    def turns(self, call_sid: str) -> dict[int, TranscriptEntry]:
        """The last 200 transcript entries of a call in their order, each under its index.

        Indices may be missing, because a worker that dies loses the entries that it has not written yet. A resumed call
        continues after the highest index.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :turn)",
            ExpressionAttributeValues={":pk": {"S": f"call#{call_sid}"}, ":turn": {"S": "turn#"}},
            ScanIndexForward=False,
            ConsistentRead=True,  # the call may have been cut off a moment ago
            PaginationConfig={"MaxItems": LAST_TURNS, "PageSize": LAST_TURNS},
        )
        with translate_errors(StoreUnavailable, "reading a call's transcript"):
            items = [item for page in pages for item in page["Items"]]
        return {
            # Of several entries at one index, the one of the latest resumption comes last and wins.
            int(item["sk"]["S"].split("#")[1]): TranscriptEntry.model_validate_json(item["body"]["S"])
            for item in reversed(items)
        }


def _key(call_sid: str, sort_key: str) -> "dict[str, AttributeValueTypeDef]":
    return {"pk": {"S": f"call#{call_sid}"}, "sk": {"S": sort_key}}


def _entry_item(place: TurnPlace, entry: TranscriptEntry) -> "dict[str, AttributeValueTypeDef]":
    call_sid, index, resumptions = place
    return {
        **_key(call_sid, f"turn#{index:05d}#{resumptions:02d}"),  # sorted as text
        "body": {"S": entry.model_dump_json()},
        "expires_at": {"N": str(expires_at())},
    }
