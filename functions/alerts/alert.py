"""The alert: what a person on call reads on their phone's lock screen, on the stairs, at night."""

from dataclasses import dataclass
from typing import Self

from shared.escalation import Escalation
from shared.phone_numbers import ANONYMOUS

# Two segments of an SMS hold 306 characters; a lock screen shows about the first hundred.
TEXT_LENGTH = 300
REASON_LENGTH = 80
NUMBER_LENGTH = 40

URGENCIES = {"high": "URGENT", "normal": "Normal urgency", "low": "Low urgency"}


@dataclass(frozen=True)
class Alert:
    """One escalation, as people are told of it.

    `text` is the SMS: how urgent, whom to call, why. It has the caller's full number, since that is its use; it is for
    the people on call and never for a log. `subject` is for channels that have one, and holds nothing private.
    """

    escalation_id: str
    subject: str
    text: str

    @classmethod
    def about(cls, escalation: Escalation) -> Self:
        """The alert for an escalation."""
        urgency = URGENCIES[escalation.urgency]
        reason = _plain(escalation.reason.replace("_", " "))[:REASON_LENGTH]
        text = _plain(f"{urgency}: {_whom_to_call(escalation)}. {reason}: {escalation.summary}")
        if len(text) > TEXT_LENGTH:
            # Three dots rather than the one character, which no SMS alphabet but Unicode has.
            text = text[: TEXT_LENGTH - 3].rstrip() + "..."
        return cls(escalation.escalation_id, subject=f"{urgency}: a caller needs a person", text=text)


def _whom_to_call(escalation: Escalation) -> str:
    caller = _plain(escalation.caller)[:NUMBER_LENGTH]
    callback = _plain(escalation.callback_number or "")[:NUMBER_LENGTH]
    if callback and callback != caller:
        return f"call {callback} (called from {caller})"
    return "a caller without a number" if caller in ("", ANONYMOUS) else f"call {caller}"


def _plain(text: str) -> str:
    # Written by a model after what a stranger said: one line, without anything that would hide or reorder its text.
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
