"""The desk in this process, with the emulator as its AWS and a small server as Twilio's REST API."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from functions.desk.app import app
from functions.desk.context import desk
from local.stack.emulator import Emulator
from shared import aws_clients
from shared.calls.store import CallStore
from shared.escalations.record import EscalationRecord, SentAlert
from shared.escalations.store import EscalationStore
from shared.on_call.settings import settings
from shared.on_call.store import RosterStore
from tests.escalations import CALL_SID, alerts_to, escalation
from tests.functions.desk.desk_requests import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    ESCALATION_ID,
    LEG,
    OFFER,
    OUR_NUMBER,
    PUBLIC_URL,
    ROSTER,
    SIGNING_KEY,
)
from tests.functions.desk.phone.phone_legs import Now
from tests.twilio_rest import TwilioRest

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def twilio() -> Iterator[TwilioRest]:
    """A server that stands in for Twilio's REST API, where the escalation's caller is on the line."""
    with TwilioRest() as rest:
        rest.call_statuses[CALL_SID] = "in-progress"
        yield rest


@pytest.fixture
def environ(
    long_limits: pytest.MonkeyPatch, emulator: Emulator, table: str, queue: str, twilio: TwilioRest
) -> Iterator[pytest.MonkeyPatch]:
    """The desk's environment. Change it before the first request."""
    for name, value in {
        **emulator.environ,
        "TABLE_NAME": table,
        "REMINDER_QUEUE_URL": queue,
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_API_URL": twilio.url,
        "PUBLIC_URL": PUBLIC_URL,
        "SIGNING_KEY": SIGNING_KEY,
        "ALERT_FROM": OUR_NUMBER,
    }.items():
        long_limits.setenv(name, value)
    long_limits.setattr(aws_clients, "_clients", {})
    settings.cache_clear()
    desk.cache_clear()
    yield long_limits
    settings.cache_clear()
    desk.cache_clear()


@pytest.fixture
def roster(table: str, dynamodb: "DynamoDBClient") -> RosterStore:
    """The people on call, Maria and Ben; and a topic, which has no phone."""
    store = RosterStore(table, dynamodb, "tests")
    store.write(ROSTER)
    return store


@pytest.fixture
def web(environ: pytest.MonkeyPatch, roster: RosterStore) -> TestClient:
    """The desk over HTTP. An exception that the app does not handle fails the test."""
    return TestClient(app, base_url=PUBLIC_URL)


@pytest.fixture
def escalations(table: str, dynamodb: "DynamoDBClient") -> EscalationStore:
    """The store of escalations."""
    return EscalationStore(table, dynamodb)


@pytest.fixture
def calls(table: str, dynamodb: "DynamoDBClient") -> CallStore:
    """The store of calls."""
    return CallStore(table, dynamodb)


@pytest.fixture
def alerted(escalations: EscalationStore) -> EscalationStore:
    """An escalation of a minute ago, about which Maria has been alerted by SMS and Ben by phone."""
    now = datetime.now(UTC)
    escalations.upsert(escalation(created_at=now - timedelta(seconds=60)), now)
    alerts = (*alerts_to("maria"), SentAlert("ben", "phone", OFFER))
    escalations.change(ESCALATION_ID, lambda record: record.alerted(1, now, now + timedelta(seconds=60), alerts))
    return escalations


@pytest.fixture
def now(alerted: EscalationStore) -> Now:
    """Reads the escalation's current record."""

    def record() -> EscalationRecord:
        there = alerted.get(ESCALATION_ID)
        assert there is not None
        return there

    return record


@pytest.fixture
def waiting(alerted: EscalationStore) -> EscalationStore:
    """Maria has accepted, has pressed 1, and waits for the caller."""
    alerted.change(
        ESCALATION_ID,
        lambda record: record.accepted("maria", NOW, LATER, name="Maria Lopez").ready_on(LEG, "maria", NOW, LATER),
    )
    return alerted


@pytest.fixture
def together(waiting: EscalationStore) -> EscalationStore:
    """Maria and the caller are in the conference."""
    waiting.change(ESCALATION_ID, lambda record: record.caller_joined_conference(NOW).connected(NOW, LATER))
    return waiting
