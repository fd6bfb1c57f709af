"""Conferences: who is in which, who hears whom, and who is told of it.

A conference starts when two are in it and one of them has startConferenceOnEnter; it ends with the last, or with one
who has endConferenceOnExit. Its status callback is the first participant's (Twilio, "TwiML Voice: <Conference>").
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from local.twilio.callbacks import Callbacks, timestamp
from local.twilio.mixer import Mixer
from local.twilio.report import Notice, Visit, WebhookRequest
from local.twilio.sound import beep
from local.twilio.twiml import NOBODY, Conference, StatusCallback

ENOUGH_TO_START = 2
EVENTS = {
    "join": "participant-join",
    "leave": "participant-leave",
    "start": "conference-start",
    "end": "conference-end",
}


class ConferenceRefusedError(Exception):
    """A call may not join; `code` is Twilio's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Participant:
    """A call in a conference; the phone's listener."""

    def __init__(self, room: "Room", call_sid: str, noun: Conference, heard_ms: Callable[[], float]) -> None:
        self.call_sid = call_sid
        self.noun = noun
        self.joined_at = datetime.now(UTC)
        self.ear = Mixer()
        self.visit = Visit(room.sid, room.name, noun.label, heard_ms())
        self.pressed_star = False
        self._room = room
        self._heard_ms = heard_ms

    @property
    def mixed(self) -> bool:
        """Whether it hears the others, and no music any more."""
        return self.visit.started_at_ms is not None

    @property
    def gone(self) -> bool:
        """Whether it has left, or the conference has ended."""
        return self.visit.left_at_ms is not None

    def start(self) -> None:
        """The conference has started."""
        self.visit.started_at_ms = self._heard_ms()

    def leave(self, why: str, call_status: str) -> None:
        """Leaves, once. `why` is Twilio's ReasonParticipantLeft."""
        if not self.gone:
            self._room.remove(self, why, call_status)

    def left(self, why: str) -> None:
        """It is out."""
        self.visit.left_at_ms, self.visit.why_left = self._heard_ms(), why
        self.visit.first_voice_at_ms = self.ear.first_voice_ms

    def caller_audio(self, frame: bytes) -> None:
        """Takes what is said, for the others."""
        if self.mixed and not self.noun.muted:
            self._room.spread(self, frame)

    def digit(self, digit: str) -> None:
        """Takes a key."""
        self.pressed_star = self.pressed_star or digit == "*"

    def fields(self) -> dict[str, str]:
        """What a status callback says of it."""
        told = {
            "CallSid": self.call_sid,
            "Muted": str(self.noun.muted).lower(),
            "Hold": "false",
            "Coaching": "false",
            "EndConferenceOnExit": str(self.noun.ends_on_exit).lower(),
            "StartConferenceOnEnter": str(self.noun.starts_on_enter).lower(),
        }
        return told | ({"ParticipantLabel": self.noun.label} if self.noun.label else {})


@dataclass(eq=False)
class Room:
    """One conference; another one of the same name may come after it.

    `callbacks` has its status callbacks as they were sent and answered, `warnings` what went wrong with them.
    """

    name: str
    account_sid: str
    sender: Callbacks
    status: StatusCallback = NOBODY
    sid: str = field(default_factory=lambda: f"CF{uuid4().hex}")
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: str = "init"
    participants: dict[str, Participant] = field(default_factory=dict)
    visits: dict[str, Visit] = field(default_factory=dict)
    callbacks: list[WebhookRequest] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    ended_by: Participant | None = None
    why_ended: str | None = None
    _told: int = 0

    def add(self, noun: Conference, call_sid: str, heard_ms: Callable[[], float]) -> Participant:
        """A call joins. Raises ConferenceRefusedError."""
        if noun.label and any(other.noun.label == noun.label for other in self.participants.values()):
            raise ConferenceRefusedError(16025, f"{noun.label!r} is the label of another participant of {self.name}")
        if len(self.participants) >= noun.max_participants:
            raise ConferenceRefusedError(16020, f"the conference {self.name} is full")
        participant = Participant(self, call_sid, noun, heard_ms)
        self.participants[call_sid] = participant
        self.visits[call_sid] = participant.visit
        self._tell("join", participant.fields())
        if self.state == "init" and len(self.participants) >= ENOUGH_TO_START and self._has_starter():
            self.state = "in-progress"
            self._tell("start", {})
        if self.state == "in-progress":
            for each in self.participants.values():
                if not each.mixed:
                    each.start()
        self._beep(noun, {"true", "onEnter"})
        return participant

    def remove(self, participant: Participant, why: str, call_status: str) -> None:
        """A participant leaves; the conference may end with it."""
        self._let_go(participant, why, call_status)
        ends = participant.noun.ends_on_exit
        if not ends and self.participants:
            self._beep(participant.noun, {"true", "onExit"})
            return
        for other in list(self.participants.values()):
            self._let_go(other, "moderator_ended_conference", "in-progress")
        self.state, self.ended_by = "completed", participant
        self.why_ended = "participant-with-end-conference-on-exit-left" if ends else "last-participant-left"
        told = {
            "CallSidEndingConference": participant.call_sid,
            "ReasonConferenceEnded": self.why_ended,
            "Reason": f"Participant {participant.call_sid} left",
        }
        label = participant.noun.label
        self._tell("end", told | ({"ParticipantLabelEndingConference": label} if label else {}))

    def spread(self, speaker: Participant, frame: bytes) -> None:
        """Lets the others hear what one says."""
        for other in self.participants.values():
            if other is not speaker and other.mixed:
                other.ear.hear(speaker.call_sid, frame)

    def _has_starter(self) -> bool:
        return any(each.noun.starts_on_enter for each in self.participants.values())

    def _let_go(self, participant: Participant, why: str, call_status: str) -> None:
        del self.participants[participant.call_sid]
        for other in self.participants.values():
            other.ear.forget(participant.call_sid)
        participant.left(why)
        told = {"ParticipantCallStatus": call_status, "ReasonParticipantLeft": why}
        self._tell("leave", participant.fields() | told)

    def _beep(self, noun: Conference, when: set[str]) -> None:
        if noun.beep in when and self.state == "in-progress":
            for each in self.participants.values():
                each.ear.signal(beep())

    def _tell(self, event: str, more: dict[str, str]) -> None:
        if self.status.url is None or event not in self.status.events:
            return
        self._told += 1
        fields = {
            "ConferenceSid": self.sid,
            "FriendlyName": self.name,
            "AccountSid": self.account_sid,
            "SequenceNumber": str(self._told),
            "Timestamp": timestamp(),
            "StatusCallbackEvent": EVENTS[event],
        }
        at_ms = (datetime.now(UTC) - self.created_at).total_seconds() * 1000
        self.sender.send(
            self.status,
            fields | more,
            at_ms,
            self.callbacks.append,
            lambda code, text: self.warnings.append(Notice(at_ms, code, text)),
        )


class Conferences:
    """All conferences of the account, ended ones too, in the order in which they began."""

    def __init__(self, account_sid: str, callbacks: Callbacks) -> None:
        self.rooms: list[Room] = []
        self._account_sid = account_sid
        self._callbacks = callbacks

    def join(
        self, noun: Conference, status_url: str | None, call_sid: str, heard_ms: Callable[[], float]
    ) -> Participant:
        """A call joins the conference of this name, which begins with it if there is none. `status_url` is the absolute
        URL of the noun's status callback. Raises ConferenceRefusedError.
        """
        room = next((room for room in self.rooms if room.name == noun.name and room.state != "completed"), None)
        if room is None:
            room = Room(noun.name, self._account_sid, self._callbacks, replace(noun.status, url=status_url))
            self.rooms.append(room)
        return room.add(noun, call_sid, heard_ms)
