"""The alert: what a person on call reads on their phone's lock screen, on the stairs, at night."""

from dataclasses import dataclass
from typing import Self

from shared.escalations.callback_numbers import CallbackRules, ToCall
from shared.escalations.request import Escalation
from shared.text.plain import shortened
from shared.text.quoted import quoted, said

# Two segments of an SMS hold 306 characters, the link among them; a lock screen shows about the first hundred.
TEXT_LENGTH = 300
# However long the API's address is, there is room for whom to call and why, if need be in a third segment.
LEAST_LENGTH = 140
REASON_LENGTH = 80

URGENCIES = {"high": "URGENT", "normal": "Normal urgency", "low": "Low urgency"}
PROMISED = "Call back promised"
# What follows was written by a model after what a stranger said, and is neither ours nor the business's.
INTRODUCTION = "Caller's request:"


@dataclass(frozen=True)
class Alert:
    """One escalation, as one person is told of it.

    `text` is the SMS: how urgent, whom to call, why in quotation marks, and last, on a line of its own, the person's
    link to the desk, which is the only link in it. It has the full number to call, since that is its use; it is for
    that person and never for a log. `subject` is for channels that have one, and holds nothing private.
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
    def about(cls, escalation: Escalation, link: str, callbacks: CallbackRules) -> Self:
        """The alert for a caller who needs a person."""
        urgency = URGENCIES[escalation.urgency]
        text = _text(urgency, escalation, callbacks, link)
        return cls(escalation, f"{urgency}: a caller needs a person", text, link)

    @classmethod
    def of_promise(cls, escalation: Escalation, link: str, callbacks: CallbackRules) -> Self:
        """The alert for a caller whom nobody took, and who is to be called back."""
        text = _text(PROMISED, escalation, callbacks, link)
        return cls(escalation, f"{PROMISED}: nobody took a call", text, link)


def _text(heading: str, escalation: Escalation, callbacks: CallbackRules, link: str) -> str:
    whom = _whom_to_call(callbacks.to_call(escalation))
    opening = f"{heading}: {whom}. {INTRODUCTION} "
    room = max(TEXT_LENGTH - len(link) - 1, LEAST_LENGTH) - len(opening)
    reason = shortened(said(escalation.reason.replace("_", " ")), REASON_LENGTH)
    return f"{opening}{quoted(f'{reason}: {escalation.summary}', room)}\n{link}"


def _whom_to_call(to_call: ToCall) -> str:
    if to_call.number is None:
        return "a caller without a number to call"
    if not to_call.elsewhere:
        return f"call {to_call.number}"
    origin = f"called from {to_call.caller}" if to_call.caller else "not the number that they called from"
    return f"call {to_call.number} ({origin})"
