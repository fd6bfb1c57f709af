"""The escalations in the DynamoDB table, each in its latest revision."""

from typing import TYPE_CHECKING

from shared.aws_clients import failures_as
from shared.call_store import StoreUnavailable, expires_at
from shared.escalation import Escalation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class EscalationStore:
    """The escalations in one table. Blocking; raises StoreUnavailable when DynamoDB does not do as told."""

    def __init__(self, table_name: str, client: "DynamoDBClient") -> None:
        self._table_name = table_name
        self._client = client

    def record(self, escalation: Escalation) -> None:
        """Keeps the escalation, unless this or a later revision is there already.

        The queue may deliver twice and in any order, so neither is an error.
        """
        with failures_as(StoreUnavailable, "recording an escalation"):
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        "pk": {"S": f"escalation#{escalation.escalation_id}"},
                        "sk": {"S": "escalation"},
                        "revision": {"N": str(escalation.revision)},
                        "body": {"S": escalation.to_json()},
                        "expires_at": {"N": str(expires_at())},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR revision < :revision",
                    ExpressionAttributeValues={":revision": {"N": str(escalation.revision)}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return

    def get(self, escalation_id: str) -> Escalation | None:
        """The escalation in its latest revision, or None."""
        with failures_as(StoreUnavailable, "reading an escalation"):
            found = self._client.get_item(
                TableName=self._table_name,
                Key={"pk": {"S": f"escalation#{escalation_id}"}, "sk": {"S": "escalation"}},
                ConsistentRead=True,
            )
        item = found.get("Item")
        return Escalation.from_json(item["body"]["S"]) if item else None
