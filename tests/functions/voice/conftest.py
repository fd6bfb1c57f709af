"""The voice function in this process, with the emulator as its AWS."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from functions.voice.app import app
from functions.voice.settings import settings
from local.stack.emulator import Emulator
from shared import aws_clients
from shared.calls.store import CallStore
from shared.escalations.request import Escalation
from tests.functions.voice.twilio_requests import AUTH_TOKEN, PUBLIC_URL, SIGNING_KEY, STREAM_URL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

Received = Callable[[], list[Escalation]]


@pytest.fixture
def environ(long_limits: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The function's environment. Change it before the first request."""
    for name, value in {
        "TABLE_NAME": "no-table",
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "PUBLIC_URL": PUBLIC_URL,
        "STREAM_URL": STREAM_URL,
        "SIGNING_KEY": SIGNING_KEY,
        "ESCALATION_QUEUE_URL": "http://127.0.0.1:9/no-queue",
    }.items():
        long_limits.setenv(name, value)
    settings.cache_clear()
    yield long_limits
    settings.cache_clear()


@pytest.fixture
def on_emulator(environ: pytest.MonkeyPatch, emulator: Emulator, table: str, queue: str) -> None:
    """A table and a queue of the emulator in the function's environment."""
    for name, value in {**emulator.environ, "TABLE_NAME": table, "ESCALATION_QUEUE_URL": queue}.items():
        environ.setenv(name, value)
    environ.setattr(aws_clients, "_clients", {})


@pytest.fixture
def web(environ: pytest.MonkeyPatch) -> TestClient:
    """The function's app over HTTP. An exception that the app does not handle fails the test."""
    return TestClient(app)


@pytest.fixture
def received(sqs: "SQSClient", queue: str) -> Received:
    """Receives what is in the queue of escalations."""

    def receive() -> list[Escalation]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [Escalation.from_json(message["Body"]) for message in messages]

    return receive


@pytest.fixture
def calls(table: str, dynamodb: "DynamoDBClient") -> CallStore:
    """The store in which the worker records how calls ended."""
    return CallStore(table, dynamodb)
