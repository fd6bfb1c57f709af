"""The alert: what a person on call reads on their phone's lock screen."""

from dataclasses import dataclass
from typing import Self

from shared.escalations.callback_numbers import CallbackRules, ToCall
from shared.escalations.request import Escalation
from shared.text.plain import shortened
from shared.text.quoted import quoted, said

# Two segments of an SMS hold 306 characters, the link among them; a lock screen shows about the first hundred.
TEXT_LENGTH = 300
# Room for whom to call and why, however long the link is; a third segment is used if necessary.
LEAST_LENGTH = 140
REASON_LENGTH = 80

URGENCIES = {"high": "URGENT", "normal": "Normal urgency", "low": "Low urgency"}
PROMISED = "Callback promised"
# Says that the text after it comes from a stranger's words, through a model, and not from us or the business.
INTRODUCTION = "Caller's request:"


@dataclass(frozen=True)
class Alert:
    """The message to one person about one escalation.

    `text` is the SMS: how urgent, whom to call, why (in quotation marks), and on a last line of its own the person's
    link to the desk, the only link in it. It has the full number to call, so never log it. `subject` is for channels
    that have one, and holds nothing private.
    """

    escalation: Escalation
    subject: str
    text: str
    link: str

    @property
    def escalation_id(self) -> str:
        """The id of the escalation that it is about."""
        return self.escalation.escalation_id

    @classmethod
    def about(cls, escalation: Escalation, link: str, callbacks: CallbackRules) -> Self:
        """The alert for a caller who needs a person."""
        urgency = URGENCIES[escalation.urgency]
        text = _text(urgency, escalation, callbacks, link)
        return cls(escalation, f"{urgency}: a caller needs a person", text, link)

    @classmethod
    def of_promise(cls, escalation: Escalation, link: str, callbacks: CallbackRules) -> Self:
        """The alert that a caller was promised a callback because nobody accepted the call."""
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
