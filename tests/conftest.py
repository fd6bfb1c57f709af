"""The AWS emulator, started once for a session; under pytest-xdist each worker process has one of its own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pytest

from local.stack.emulator import Emulator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The emulator itself, for tests that want its clients or its environment for a child process."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> str:
    """The emulator's endpoint URL. Nothing global is set: a test points at it what it tests."""
    return emulator.url


@pytest.fixture(scope="session")
def dynamodb(emulator: Emulator) -> "DynamoDBClient":
    """DynamoDB of the emulator."""
    return boto3.client("dynamodb", **emulator.connection)


@pytest.fixture(scope="session")
def sqs(emulator: Emulator) -> "SQSClient":
    """SQS of the emulator."""
    return boto3.client("sqs", **emulator.connection)


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> str:
    """The name of a new, empty table with the keys and the index of ours."""
    name = f"table-{uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "open", "created_at")
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open-escalations",
                "KeySchema": [
                    {"AttributeName": "open", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def queue(sqs: "SQSClient") -> str:
    """The URL of a new, empty queue."""
    return sqs.create_queue(QueueName=f"queue-{uuid4().hex}")["QueueUrl"]
