"""For all tests: the AWS emulator, started once per session and xdist process, and how Hypothesis runs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pytest
from hypothesis import HealthCheck, settings

from local.stack.emulator import Emulator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

# No test may fail because the machine is busy, so an example may take any time.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The emulator, for tests that need its clients, or its environment for a child process."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> str:
    """The emulator's endpoint URL. No global setting has it: each test passes it on."""
    return emulator.url


@pytest.fixture(scope="session")
def dynamodb(emulator: Emulator) -> "DynamoDBClient":
    """A DynamoDB client for the emulator."""
    return boto3.client("dynamodb", **emulator.connection)


@pytest.fixture(scope="session")
def sqs(emulator: Emulator) -> "SQSClient":
    """An SQS client for the emulator."""
    return boto3.client("sqs", **emulator.connection)


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> str:
    """The name of a new, empty table with the keys and the index of the template's table."""
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
