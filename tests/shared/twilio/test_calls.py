"""Statuses (https://www.twilio.com/docs/voice/api/call-resource) and time limits of calls."""

import pytest

from functions.desk.actions import RINGS_S
from functions.desk.phone.twiml import CALLER_RINGS_S
from local.twilio.twiml import LONGEST_CALL_S
from shared.escalations.record import JOINS_WITHIN_S
from shared.twilio.calls import PERSONS_CALL_LIMIT_S, TALK_LIMIT_S, is_over


@pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled", None])
def test_over(status: str | None) -> None:
    """It ended, was never answered, or is unknown to Twilio."""
    assert is_over(status)


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress", ""])
def test_not_over(status: str) -> None:
    """It is about to begin or goes on; a request without a status is about a call that exists."""
    assert not is_over(status)


def test_a_conversation_ends_first() -> None:
    """The call to the person allows for the time before the conversation, and Twilio accepts both limits."""
    before = RINGS_S + JOINS_WITHIN_S + CALLER_RINGS_S
    assert 0 < TALK_LIMIT_S < TALK_LIMIT_S + before < PERSONS_CALL_LIMIT_S <= LONGEST_CALL_S
