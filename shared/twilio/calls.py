"""What holds for every call at Twilio: which of its statuses mean the end, and how long a call of ours may last."""

from typing import Final

_OVER = {"completed", "busy", "failed", "no-answer", "canceled"}


def is_over(status: str | None) -> bool:
    """Whether nobody is left to speak to on a call with this status; None: Twilio knows of no such call."""
    return status is None or status in _OVER


# Without a limit of ours a call may last four hours.
#
# A conversation between a caller and a person on call. No call to a business that needs a person should take longer; a
# line that nobody hung up, or that somebody keeps open at our cost, ends then. A caller in the conference is back with
# the agent at that moment, and is not cut off.
TALK_LIMIT_S: Final = 2 * 60 * 60

# The call to a person's phone: the conversation, and ten minutes to hear what it is about and to wait for the caller
# before it (JOINS_WITHIN_S) and to ring the caller's phone. It must not end before the conversation does.
PERSONS_CALL_LIMIT_S: Final = TALK_LIMIT_S + 10 * 60
