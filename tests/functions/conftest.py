"""What the tests of all three functions need: patience with a busy machine, and an eye on their permissions."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import aws_clients
from tests.permissions import Recorder, allows

ROLES = {"voice": "VoiceRole", "alerts": "AlertsRole", "desk": "DeskRole"}
QUEUES = {"ESCALATION_QUEUE_URL": "EscalationQueue", "REMINDER_QUEUE_URL": "ReminderQueue"}
PATIENCE_S = 60.0
LIMITS = (
    "shared.aws_clients.CONNECT_TIMEOUT_S",
    "shared.aws_clients.READ_TIMEOUT_S",
    "shared.twilio.rest.CONNECT_TIMEOUT_S",
    "shared.twilio.rest.READ_TIMEOUT_S",
    "functions.voice.next_step.STORE_LIMIT_S",
    "functions.voice.next_step.LIFE_LIMIT_S",
    "functions.voice.dropped_call.READ_LIMIT_S",
    "functions.voice.dropped_call.QUEUE_LIMIT_S",
    "functions.desk.context.ANSWERED_WITHIN_S",
    "functions.desk.phone.menu.STATUS_WITHIN_S",
)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No limit is reached only because the machine has other things to do; a test about one sets it by itself."""
    for limit in LIMITS:
        monkeypatch.setattr(limit, PATIENCE_S)
    return monkeypatch


@pytest.fixture(autouse=True)
def within_its_role(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a function asks of the table and the queues in any test, its role in template.yaml allows."""
    recorder, make = Recorder(_logical_queue), aws_clients._make
    monkeypatch.setattr(aws_clients, "_clients", {})
    monkeypatch.setattr(aws_clients, "_make", lambda service: recorder.listen(make(service)))
    yield
    role = ROLES[request.path.relative_to(Path(__file__).parent).parts[0]]
    assert not [asked for asked in recorder.asked if not allows(role, asked)]


def _logical_queue(url: str) -> str:
    """A queue's name in the template, by its URL in the function's environment."""
    return next((name for variable, name in QUEUES.items() if os.environ.get(variable) == url), url)
