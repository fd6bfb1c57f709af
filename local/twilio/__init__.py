"""A simulated Twilio: it calls webhooks, follows TwiML, streams a caller's audio in real time, and answers REST."""

from local.twilio.account import SimulatedTwilio
from local.twilio.callbacks import Loss
from local.twilio.callee import (
    Answers,
    Busy,
    Callee,
    Declines,
    InTurn,
    NeverAnswers,
    PicksUp,
    Unreachable,
    Voicemail,
)
from local.twilio.line import CallEndedError, Caller, CallerGaveUpError, Line
from local.twilio.person import Person
from local.twilio.report import CallReport, EndedBy
from local.twilio.rest.faults import Fault
from local.twilio.rest.messages import Message
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
    "InTurn",
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
