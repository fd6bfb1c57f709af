"""SQS events as Lambda receives them."""

from typing import Any
from uuid import uuid4

from functions.alerts.app import handler

ANNA, BORIS = "+15550000001", "+15550000002"
ALERT_FROM = "+15559999999"
PUBLIC_URL = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com"
SIGNING_KEY = "a key that nobody else has"
ESCALATIONS = "arn:aws:sqs:us-east-1:000000000000:escalations"


class Context:
    """A Lambda context with some time left."""

    def __init__(self, remaining_ms: int = 20_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation has left."""
        return self._remaining_ms


def message(body: str, queue_arn: str = ESCALATIONS, *, received: int = 1) -> dict[str, Any]:
    """One message of an event, with an id of its own, that is delivered for the n-th time."""
    return {
        "messageId": str(uuid4()),
        "receiptHandle": "handle",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(received),
            "SentTimestamp": "1795341600000",
            "SenderId": "AIDA",
            "ApproximateFirstReceiveTimestamp": "1795341600001",
        },
        "messageAttributes": {},
        "md5OfBody": "0",
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": "us-east-1",
    }


def deliver(*messages: dict[str, Any], context: Context | None = None) -> list[int]:
    """Delivers the messages to the function in one batch; returns the indexes of those that failed."""
    answer = handler({"Records": list(messages)}, context or Context())
    assert answer.keys() == {"batchItemFailures"}
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    return [place for place, one in enumerate(messages) if one["messageId"] in failed]
