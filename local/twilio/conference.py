"""<Dial><Conference>: who is in which conference, who hears whom, and who is told of it.

A conference starts when two are in it and one of them has startConferenceOnEnter; it ends with the last, or with one
who has endConferenceOnExit. Its status callback is the first participant's (Twilio, "TwiML Voice: <Conference>").
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from local.twilio.ears import Mixer, Tune, hold_music
from local.twilio.report import Visit
from local.twilio.twiml import NOBODY, Conference, Dial, Document, StatusCallback
from local.twilio.webhook import timestamp

if TYPE_CHECKING:
    from local.twilio.call import Call

ENOUGH_TO_START = 2


class Participant:
    """A call in a conference; the phone's listener."""

    def __init__(self, room: "Room", call: "Call", noun: Conference) -> None:
        self.call = call
        self.noun = noun
        self.ear = Mixer()
        self.visit = Visit(room.sid, room.name, noun.label, call.phone.heard_ms)
        self._room = room

    @property
    def mixed(self) -> bool:
        """Whether it hears the others, and no music any more."""
        return self.visit.started_at_ms is not None

    @property
    def gone(self) -> bool:
        """Whether it has left, or the conference has ended."""
        return self.visit.left_at_ms is not None

    def leave(self, why: str) -> None:
        """Leaves, once. `why` is Twilio's ReasonParticipantLeft."""
        if not self.gone:
            self._room.remove(self, why)

    def left(self, why: str) -> None:
        """It is out."""
        self.visit.left_at_ms, self.visit.why_left = self.call.phone.heard_ms, why
        self.visit.first_voice_at_ms = self.ear.first_voice_ms

    def caller_audio(self, frame: bytes) -> None:
        """Takes what is said, for the others."""
        if self.mixed:
            self._room.spread(self, frame)

    def digit(self, digit: str) -> None:
        """Keys are not for a conference."""

    def fields(self) -> dict[str, str]:
        """What a status callback says of it."""
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
    """One conference; another one of the same name may come after it."""

    name: str
    status: StatusCallback = NOBODY
    sid: str = field(default_factory=lambda: f"CF{uuid4().hex}")
    ended: bool = False
    participants: list[Participant] = field(default_factory=list)
    _started: bool = False
    _told: int = 0

    @property
    def labels(self) -> set[str]:
        """Those of the participants."""
        return {each.noun.label for each in self.participants if each.noun.label}

    def add(self, call: "Call", noun: Conference) -> Participant:
        """A call joins."""
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
        """A participant leaves; the conference may end with it."""
        self._let_go(participant, why)
        if participant.noun.ends_on_exit:
            for other in list(self.participants):
                self._let_go(other, "moderator_ended_conference")
        self.ended = not self.participants

    def spread(self, speaker: Participant, frame: bytes) -> None:
        """Lets the others hear what one says."""
        for other in self.participants:
            if other is not speaker and other.mixed:
                other.ear.hear(speaker.call.sid, frame)

    def _let_go(self, participant: Participant, why: str) -> None:
        self.participants.remove(participant)
        for other in self.participants:
            other.ear.forget(participant.call.sid)
        participant.left(why)
        told = {"ParticipantCallStatus": participant.call.report.status, "ReasonParticipantLeft": why}
        self._tell("leave", participant, told)

    def _tell(self, event: str, participant: Participant, more: dict[str, str] | None = None) -> None:
        if event not in self.status.events:
            return
        self._told += 1
        fields = {
            "ConferenceSid": self.sid,
            "FriendlyName": self.name,
            "AccountSid": participant.call.account.exchange.account_sid,
            "SequenceNumber": str(self._told),
            "Timestamp": timestamp(),
            "StatusCallbackEvent": f"participant-{event}",
        }
        participant.call.send(self.status, fields | participant.fields() | (more or {}))


async def confer(call: "Call", verb: Dial, noun: Conference, document: Document) -> bool:
    """Takes part in a conference until one is out of it; False if one was not let in."""
    room = _room(call.account.rooms, noun, document)
    if noun.label in room.labels:
        call.warn(16025, f"{noun.label!r} is the label of another participant of {noun.name}")
        return False
    participant = room.add(call, noun)
    call.report.visits.append(participant.visit)
    call.note("conference joined", noun.name)
    try:
        await _take_part(call, participant, call.phone.now_ms + verb.time_limit_s * 1000)
    finally:
        participant.leave("participant_updated_via_api" if call.in_progress else "participant_hung_up")
        call.note("conference left", participant.visit.why_left)
    return True


def _room(rooms: list[Room], noun: Conference, document: Document) -> Room:
    """The conference of this name that is going on; it begins now if there is none."""
    for room in rooms:
        if room.name == noun.name and not room.ended:
            return room
    url = noun.status.url and document.resolve(noun.status.url)
    rooms.append(Room(noun.name, replace(noun.status, url=url)))
    return rooms[-1]


async def _take_part(call: "Call", participant: Participant, until_ms: float) -> None:
    async def hear(ear: Tune | Mixer, happened: Callable[[], bool]) -> None:
        with call.phone.connected(ear, participant):
            await call.phone.until(happened, until_ms - call.phone.now_ms)

    await hear(Tune(hold_music()), lambda: participant.mixed or participant.gone)
    if participant.mixed and not participant.gone:
        call.note("conference started", participant.noun.name)
        await hear(participant.ear, lambda: participant.gone)
    participant.leave("participant_hung_up")  # whose time is up has left as if they had hung up
