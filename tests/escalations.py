"""A sample escalation and alerts for tests."""

from datetime import UTC, datetime
from typing import Any

from shared.calls.transcript import TranscriptEntry
from shared.escalations.record import SentAlert
from shared.escalations.request import Escalation

CALL_SID = "CA" + "1" * 32
CALLER = "+15551234567"
CALLED = "+15557654321"


def escalation(**fields: Any) -> Escalation:
    """A sample escalation with the given fields changed."""
    defaults: dict[str, Any] = {
        "escalation_id": f"{CALL_SID}-1",
        "call_sid": CALL_SID,
        "caller": CALLER,
        "called": CALLED,
        "reason": "refund",
        "summary": "Charged twice for order 12 and wants one of the payments back.",
        "urgency": "normal",
        "transcript": [
            TranscriptEntry(role="caller", text="I was charged twice", at=datetime(2026, 11, 22, 10, tzinfo=UTC))
        ],
        "language": "en",
        "created_at": datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC),
    }
    return Escalation(**{**defaults, **fields})


def alerts_to(*people: str, by: str = "sms") -> tuple[SentAlert, ...]:
    """An alert to each of these people by one channel."""
    return tuple(SentAlert(person, by, f"{by} to {person}") for person in people)
