"""The alert: what a person on call reads on their phone's lock screen, on the stairs, at night."""

from dataclasses import dataclass
from typing import Self

from shared.escalation import Escalation
from shared.phone_numbers import ANONYMOUS

# Two segments of an SMS hold 306 characters, the link among them; a lock screen shows about the first hundred.
TEXT_LENGTH = 300
# However long the API's address is, there is room for whom to call and why, if need be in a third segment.
LEAST_LENGTH = 140
REASON_LENGTH = 80
NUMBER_LENGTH = 40

URGENCIES = {"high": "URGENT", "normal": "Normal urgency", "low": "Low urgency"}
PROMISED = "Call back promised"


@dataclass(frozen=True)
class Alert:
    """One escalation, as one person is told of it.

    `text` is the SMS: how urgent, whom to call, why, and last, on a line of its own, the person's link to the desk. It
    has the caller's full number, since that is its use; it is for that person and never for a log. `subject` is for
    channels that have one, and holds nothing private.
    """

    escalation: Escalation
    subject: str
    text: str
    link: str

    @property
    def escalation_id(self) -> str:
        """What it is about."""
        return self.escalation.escalation_id

    @classmethod
    def about(cls, escalation: Escalation, link: str) -> Self:
        """The alert for a caller who needs a person."""
        urgency = URGENCIES[escalation.urgency]
        return cls(escalation, f"{urgency}: a caller needs a person", _text(urgency, escalation, link), link)

    @classmethod
    def of_promise(cls, escalation: Escalation, link: str) -> Self:
        """The alert for a caller whom nobody took, and who is to be called back."""
        return cls(escalation, f"{PROMISED}: nobody took a call", _text(PROMISED, escalation, link), link)


def _text(heading: str, escalation: Escalation, link: str) -> str:
    reason = _plain(escalation.reason.replace("_", " "))[:REASON_LENGTH]
    text = _plain(f"{heading}: {_whom_to_call(escalation)}. {reason}: {escalation.summary}")
    room = max(TEXT_LENGTH - len(link) - 1, LEAST_LENGTH)
    if len(text) > room:
        # Three dots rather than the one character, which no SMS alphabet but Unicode has.
        text = text[: room - 3].rstrip() + "..."
    return f"{text}\n{link}"


def _whom_to_call(escalation: Escalation) -> str:
    caller = _plain(escalation.caller)[:NUMBER_LENGTH]
    callback = _plain(escalation.callback_number or "")[:NUMBER_LENGTH]
    if callback and callback != caller:
        return f"call {callback} (called from {caller})"
    return "a caller without a number" if caller in ("", ANONYMOUS) else f"call {caller}"


def _plain(text: str) -> str:
    # Written by a model after what a stranger said: one line, without anything that would hide or reorder its text.
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
