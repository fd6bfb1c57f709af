"""Twilio's words for how a call is, as far as they matter here."""

_OVER = {"completed", "busy", "failed", "no-answer", "canceled"}


def is_over(status: str | None) -> bool:
    """Whether nobody is left to speak to on a call with this status; None: Twilio knows of no such call."""
    return status is None or status in _OVER
