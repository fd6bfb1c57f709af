"""Which of Twilio's words mean that a call is over (https://www.twilio.com/docs/voice/api/call-resource)."""

import pytest

from shared.twilio.call_status import is_over


@pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled", None])
def test_over(status: str | None) -> None:
    """It ended, never began, or is not known to Twilio any more."""
    assert is_over(status)


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress", ""])
def test_not_over(status: str) -> None:
    """It is about to begin or goes on; a request that does not say is about a call that there is."""
    assert not is_over(status)
