"""The alerts function in this process, with the emulator as its AWS and a small server as its Twilio."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.alerts import app
from local.stack.emulator import Emulator
from shared import aws_clients
from shared.on_call.settings import settings
from tests.functions.alerts.lambda_events import ALERT_FROM, ANNA, BORIS, PUBLIC_URL, SIGNING_KEY
from tests.functions.alerts.policy_stage import PolicyStage
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient


@pytest.fixture
def rest() -> Iterator[TwilioRest]:
    """A server that stands in for Twilio's REST API: messages and calls."""
    with TwilioRest() as rest:
        yield rest


@pytest.fixture(scope="session")
def sns(emulator: Emulator) -> "SNSClient":
    """The emulator's SNS."""
    return boto3.client("sns", **emulator.connection)


@pytest.fixture
def reminder_queue(queue: str) -> str:
    """The URL of the queue of reminders, new and empty."""
    return queue


@pytest.fixture
def environ(
    long_limits: pytest.MonkeyPatch, emulator: Emulator, table: str, reminder_queue: str, rest: TwilioRest
) -> Iterator[pytest.MonkeyPatch]:
    """The function's environment, with Anna and Boris on call, to be changed before its first invocation."""
    for name, value in {
        **emulator.environ,
        "TABLE_NAME": table,
        "REMINDER_QUEUE_URL": reminder_queue,
        "PUBLIC_URL": PUBLIC_URL,
        "SIGNING_KEY": SIGNING_KEY,
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "token",
        "TWILIO_API_URL": rest.url,
        "ON_CALL_NUMBERS": f"{ANNA},{BORIS}",
        "ALERT_FROM": ALERT_FROM,
        "ALERT_TOPIC_ARN": "",
    }.items():
        long_limits.setenv(name, value)
    long_limits.setattr(aws_clients, "_clients", {})
    forget()
    yield long_limits
    forget()


def forget() -> None:
    """Clears the function's caches, as in a new process."""
    settings.cache_clear()
    app._policy.cache_clear()
    app._send_once.cache_clear()


@pytest.fixture
def stage(
    environ: pytest.MonkeyPatch, rest: TwilioRest, table: str, dynamodb: "DynamoDBClient", reminder_queue: str
) -> PolicyStage:
    """The escalation policy, with a roster and a clock."""
    stage = PolicyStage(rest, table, dynamodb, reminder_queue)
    stage.arrange(environ)
    return stage
