"""Twilio's call statuses that mean the call is over, and the time limits of calls."""

from typing import Final

_OVER = {"completed", "busy", "failed", "no-answer", "canceled"}


def is_over(status: str | None) -> bool:
    """Whether a call with this status is over; None means that Twilio knows no such call."""
    return status is None or status in _OVER


# Twilio's own limit is four hours.
#
# For a conversation between a caller and a person on call. It ends a line that nobody hung up, or that a caller keeps
# open at our cost. A caller in the conference goes back to the agent then, and is not cut off.
TALK_LIMIT_S: Final = 2 * 60 * 60

# For the call to a person's phone: the conversation, and ten minutes before it to hear the summary, to wait for the
# caller (JOINS_WITHIN_S) and to ring the caller's phone. It must not end before the conversation does.
PERSONS_CALL_LIMIT_S: Final = TALK_LIMIT_S + 10 * 60
