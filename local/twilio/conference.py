"""<Dial><Conference>: a call's part in a conference, from its entry until it leaves."""

from collections.abc import Callable
from dataclasses import replace

from local.twilio.call import Call
from local.twilio.ears import Mixer, Tune, hold_music
from local.twilio.room import Participant, Room
from local.twilio.twiml import Conference, Dial, Document


async def confer(call: Call, verb: Dial, noun: Conference, document: Document) -> bool:
    """Runs a call's part in a conference until it leaves; False if the conference rejected it."""
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
    """The running conference of this name; a new one if there is none."""
    for room in rooms:
        if room.name == noun.name and not room.ended:
            return room
    url = noun.status.url and document.resolve(noun.status.url)
    rooms.append(Room(noun.name, replace(noun.status, url=url)))
    return rooms[-1]


async def _take_part(call: Call, participant: Participant, until_ms: float) -> None:
    async def hear(ear: Tune | Mixer, happened: Callable[[], bool]) -> None:
        with call.phone.connected(ear, participant):
            await call.phone.until(happened, until_ms - call.phone.now_ms)

    await hear(Tune(hold_music()), lambda: participant.mixed or participant.gone)
    if participant.mixed and not participant.gone:
        call.note("conference started", participant.noun.name)
        await hear(participant.ear, lambda: participant.gone)
    participant.leave("participant_hung_up")  # at the time limit too
