"""For the tests of all three functions: long time limits for a busy machine, and a check of their permissions."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import aws_clients
from tests.permissions import Recorder, allows

ROLES = {"voice": "VoiceRole", "alerts": "AlertsRole", "desk": "DeskRole"}
QUEUES = {"ESCALATION_QUEUE_URL": "EscalationQueue", "REMINDER_QUEUE_URL": "ReminderQueue"}
LONG_S = 60.0
LIMITS = (
    "shared.aws_clients.CONNECT_TIMEOUT_S",
    "shared.aws_clients.READ_TIMEOUT_S",
    "shared.twilio.rest.CONNECT_TIMEOUT_S",
    "shared.twilio.rest.READ_TIMEOUT_S",
    "functions.voice.next_step.STORE_LIMIT_S",
    "functions.voice.next_step.ESCALATION_LIMIT_S",
    "functions.voice.dropped_call.READ_LIMIT_S",
    "functions.voice.dropped_call.QUEUE_LIMIT_S",
    "functions.desk.context.ANSWERED_WITHIN_S",
    "functions.desk.phone.menu.STATUS_WITHIN_S",
)


@pytest.fixture
def long_limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Raises all time limits, so that a busy machine reaches none. A test about a limit sets that one itself."""
    for limit in LIMITS:
        monkeypatch.setattr(limit, LONG_S)
    return monkeypatch


@pytest.fixture(autouse=True)
def within_its_role(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test whose function makes a request to AWS that its role in template.yaml does not allow."""
    recorder, make = Recorder(_logical_queue), aws_clients._make
    monkeypatch.setattr(aws_clients, "_clients", {})
    monkeypatch.setattr(aws_clients, "_make", lambda service: recorder.listen(make(service)))
    yield
    role = ROLES[request.path.relative_to(Path(__file__).parent).parts[0]]
    assert not [asked for asked in recorder.asked if not allows(role, asked)]


def _logical_queue(url: str) -> str:
    """The queue's name in template.yaml, found by its URL in the function's environment."""
    return next((name for variable, name in QUEUES.items() if os.environ.get(variable) == url), url)
