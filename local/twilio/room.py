"""The room of a conference: its participants, who hears whom, and its status callbacks.

A conference starts with two participants of whom one has startConferenceOnEnter; it ends when the last one leaves, or
one with endConferenceOnExit. Its status callback is the first participant's (Twilio, "TwiML Voice: <Conference>").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from local.twilio.ears import Mixer
from local.twilio.phone import Phone
from local.twilio.report import CallReport, Visit
from local.twilio.twiml import NOBODY, Conference, StatusCallback
from local.twilio.webhook import timestamp

ENOUGH_TO_START = 2


class InRoom(Protocol):
    """What a room needs of the call of a participant."""

    sid: str
    phone: Phone
    report: CallReport

    @property
    def account_sid(self) -> str:
        """The account that the call belongs to."""

    def send(self, callback: StatusCallback, fields: Mapping[str, str]) -> None:
        """Sends a status callback about the call."""


class Participant:
    """A call in a conference; it listens to the call's phone."""

    def __init__(self, room: "Room", call: InRoom, noun: Conference) -> None:
        self.call = call
        self.noun = noun
        self.ear = Mixer()
        self.visit = Visit(room.sid, room.name, noun.label, call.phone.heard_ms)
        self._room = room

    @property
    def mixed(self) -> bool:
        """Whether it hears the others instead of hold music."""
        return self.visit.started_at_ms is not None

    @property
    def gone(self) -> bool:
        """Whether it has left, or the conference has ended."""
        return self.visit.left_at_ms is not None

    def leave(self, why: str) -> None:
        """Leaves, if it has not left yet. `why` is Twilio's ReasonParticipantLeft."""
        if not self.gone:
            self._room.remove(self, why)

    def left(self, why: str) -> None:
        """Notes in its visit that it has left."""
        self.visit.left_at_ms, self.visit.why_left = self.call.phone.heard_ms, why
        self.visit.first_voice_at_ms = self.ear.first_voice_ms

    def caller_audio(self, frame: bytes) -> None:
        """Passes what is said to the others."""
        if self.mixed:
            self._room.spread(self, frame)

    def digit(self, digit: str) -> None:
        """Ignores keys."""

    def fields(self) -> dict[str, str]:
        """The participant's fields in a status callback."""
        told = {
            "CallSid": self.call.sid,
            "Muted": "false",
            "Hold": "false",
            "Coaching": "false",
            "EndConferenceOnExit": str(self.noun.ends_on_exit).lower(),
            "StartConferenceOnEnter": str(self.noun.starts_on_enter).lower(),
        }
        return told | ({"ParticipantLabel": self.noun.label} if self.noun.label else {})


@dataclass(eq=False)
class Room:
    """One conference; a later one may have the same name."""

    name: str
    status: StatusCallback = NOBODY
    sid: str = field(default_factory=lambda: f"CF{uuid4().hex}")
    ended: bool = False
    participants: list[Participant] = field(default_factory=list)
    _started: bool = False
    _sent: int = 0

    @property
    def labels(self) -> set[str]:
        """The participants' labels."""
        return {each.noun.label for each in self.participants if each.noun.label}

    def add(self, call: InRoom, noun: Conference) -> Participant:
        """Adds a call as a participant."""
        participant = Participant(self, call, noun)
        self.participants.append(participant)
        self._tell("join", participant)
        if len(self.participants) >= ENOUGH_TO_START and any(each.noun.starts_on_enter for each in self.participants):
            self._started = True
        for each in self.participants:
            if self._started and not each.mixed:
                each.visit.started_at_ms = each.call.phone.heard_ms
        return participant

    def remove(self, participant: Participant, why: str) -> None:
        """Removes a participant; the conference may end with it."""
        self._drop(participant, why)
        if participant.noun.ends_on_exit:
            for other in list(self.participants):
                self._drop(other, "moderator_ended_conference")
        self.ended = not self.participants

    def spread(self, speaker: Participant, frame: bytes) -> None:
        """Passes a speaker's audio to the others."""
        for other in self.participants:
            if other is not speaker and other.mixed:
                other.ear.hear(speaker.call.sid, frame)

    def _drop(self, participant: Participant, why: str) -> None:
        self.participants.remove(participant)
        for other in self.participants:
            other.ear.forget(participant.call.sid)
        participant.left(why)
        told = {"ParticipantCallStatus": participant.call.report.status, "ReasonParticipantLeft": why}
        self._tell("leave", participant, told)

    def _tell(self, event: str, participant: Participant, more: dict[str, str] | None = None) -> None:
        if event not in self.status.events:
            return
        self._sent += 1
        fields = {
            "ConferenceSid": self.sid,
            "FriendlyName": self.name,
            "AccountSid": participant.call.account_sid,
            "SequenceNumber": str(self._sent),
            "Timestamp": timestamp(),
            "StatusCallbackEvent": f"participant-{event}",
        }
        participant.call.send(self.status, fields | participant.fields() | (more or {}))
