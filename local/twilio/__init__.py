"""A simulated Twilio: it calls webhooks, follows TwiML, streams a caller's audio in real time, and answers REST."""

from local.twilio.account import SimulatedTwilio
from local.twilio.call import Loss
from local.twilio.person import (
    Answers,
    Busy,
    Callee,
    Caller,
    CallerGaveUpError,
    Declines,
    Line,
    NeverAnswers,
    Person,
    PicksUp,
    Unreachable,
    Voicemail,
)
from local.twilio.phone import CallEndedError
from local.twilio.report import CallReport, EndedBy
from local.twilio.rest.messages import Message
from local.twilio.rest.server import Fault
from local.twilio.twiml import NotSimulatedError

__all__ = [
    "Answers",
    "Busy",
    "CallEndedError",
    "CallReport",
    "Callee",
    "Caller",
    "CallerGaveUpError",
    "Declines",
    "EndedBy",
    "Fault",
    "Line",
    "Loss",
    "Message",
    "NeverAnswers",
    "NotSimulatedError",
    "Person",
    "PicksUp",
    "SimulatedTwilio",
    "Unreachable",
    "Voicemail",
]
