"""Calls in a conference: what they hear, when it starts and ends, and its status callbacks."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.audio.pitch import pitches_in
from local.audio.speech import tone
from local.twilio import CallReport, EndedBy, Person, SimulatedTwilio
from local.twilio.person import Act, HangUp, Hear, Listen, Meet, Say, Wait
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, Application, Reply

WEBHOOK = f"{PUBLIC_URL}/incoming-call"
CALLER_HZ, MARIA_HZ, BEN_HZ = 400, 600, 800
STATUS = 'statusCallback="/conference?id=1" statusCallbackEvent="join leave"'


@pytest.fixture
async def twilio(application: Application) -> AsyncIterator[SimulatedTwilio]:
    """An account at little more than real time, since voices are mixed."""
    tunnels = {PUBLIC_URL: application.address}
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=4) as twilio:
        yield twilio


@pytest.fixture(autouse=True)
def _conference(application: Application) -> None:
    application.replies["/conference"] = [Reply("", status=204)]
    application.replies["/left"] = ["<Say>The conference is over</Say>"]
    joins(application, "/caller", 'startConferenceOnEnter="false" participantLabel="caller"')
    joins(application, "/maria", 'endConferenceOnExit="true" participantLabel="maria"')


def joins(application: Application, path: str, attributes: str, dial: str = 'action="/left"') -> None:
    """Makes the webhook at `path` send its call into the conference."""
    room = f'<Conference beep="false" {attributes} {STATUS}>room</Conference>'
    application.replies[path] = [f"<Dial {dial}>{room}</Dial><Say>Next verb</Say>"]


async def call(twilio: SimulatedTwilio, path: str, *acts: Act, after_ms: float = 0) -> CallReport:
    """Makes a call after `after_ms`, with these acts."""
    await asyncio.sleep(after_ms / 4000)
    return await twilio.call(Person(*acts), webhook=f"{PUBLIC_URL}{path}")


def told(application: Application) -> list[tuple[str, str]]:
    """The conference's status callbacks, in order, as (event, label)."""
    asked = [asked for asked in application.asked if asked.path == "/conference"]
    assert all(each.signed for each in asked)
    asked.sort(key=lambda each: int(each.fields["SequenceNumber"]))
    return [(each.fields["StatusCallbackEvent"], each.fields.get("ParticipantLabel", "")) for each in asked]


async def test_participants_hear_each_other_and_not_themselves(twilio: SimulatedTwilio) -> None:
    """They hear hold music until the participant joins who starts the conference, then voices."""
    caller, maria = await asyncio.gather(
        call(twilio, "/caller", Hear(600), Say(tone(1500, CALLER_HZ)), Wait(60_000)),
        call(twilio, "/maria", Meet(), Say(tone(1500, MARIA_HZ)), Listen(600), HangUp(), after_ms=3000),
    )
    [visit] = caller.visits
    assert visit.started_at_ms is not None
    assert visit.first_voice_at_ms is not None
    waiting, talking = int(visit.started_at_ms * 8), caller.heard[int(visit.started_at_ms * 8) :]
    assert pitches_in(talking) == {MARIA_HZ}
    assert MARIA_HZ not in pitches_in(caller.heard[:waiting])
    assert pitches_in(maria.heard) == {CALLER_HZ}
    assert visit.joined_at_ms < visit.started_at_ms <= visit.first_voice_at_ms


async def test_silence_is_measured_at_the_ear(twilio: SimulatedTwilio) -> None:
    """Hold music is not silence; a pause of all voices is."""
    caller, _maria = await asyncio.gather(
        call(twilio, "/caller", Wait(60_000)),
        call(twilio, "/maria", Wait(2500), Say(tone(500, MARIA_HZ)), HangUp(), after_ms=3000),
    )
    [visit] = caller.visits
    assert visit.started_at_ms is not None
    assert caller.longest_silence_ms(before_ms=visit.started_at_ms) < 500
    assert caller.longest_silence_ms(after_ms=visit.started_at_ms) >= 1000
    first = caller.first_sound_ms(after_ms=visit.started_at_ms + 100)
    assert first is not None
    assert caller.longest_silence_ms(visit.started_at_ms + 100, first) >= 2000


async def test_three_are_mixed(twilio: SimulatedTwilio, application: Application) -> None:
    """Everybody hears two voices at once."""
    joins(application, "/ben", "")
    caller, *_others = await asyncio.gather(
        call(twilio, "/caller", Wait(60_000)),
        call(twilio, "/ben", Wait(1000), Say(tone(1500, BEN_HZ)), Wait(60_000)),
        call(twilio, "/maria", Wait(4000), Say(tone(1500, MARIA_HZ)), HangUp()),
    )
    [visit] = caller.visits
    assert visit.started_at_ms is not None
    assert pitches_in(caller.heard[int(visit.started_at_ms * 8) :]) == {BEN_HZ, MARIA_HZ}


async def test_end_of_the_conference_is_the_end_of_each_dial(twilio: SimulatedTwilio, application: Application) -> None:
    """The action is requested with `answered`, also for the one who hung up; there is a callback for every event."""
    caller, maria = await asyncio.gather(
        call(twilio, "/caller", Wait(60_000)),
        call(twilio, "/maria", Wait(1500), HangUp(), after_ms=1000),
    )
    await twilio.settled()
    assert (caller.said, caller.ended_by) == (["The conference is over"], EndedBy.APPLICATION)
    assert (maria.said, maria.ended_by) == ([], EndedBy.CALLER)
    left = {asked.fields["CallSid"]: asked.fields for asked in application.asked if asked.path == "/left"}
    assert left[caller.call_sid]["CallStatus"] == "in-progress"
    assert left[maria.call_sid]["CallStatus"] == "completed"
    assert {fields["DialCallStatus"] for fields in left.values()} == {"answered"}
    assert not any("DialCallSid" in fields for fields in left.values())
    assert told(application) == [
        ("participant-join", "caller"),
        ("participant-join", "maria"),
        ("participant-leave", "maria"),
        ("participant-leave", "caller"),
    ]
    assert [visit.why_left for visit in (*caller.visits, *maria.visits)] == [
        "moderator_ended_conference",
        "participant_hung_up",
    ]


async def test_status_callback_says_who_and_how(twilio: SimulatedTwilio, application: Application) -> None:
    """With the fields of Twilio's list."""
    caller, maria = await asyncio.gather(
        call(twilio, "/caller", Wait(60_000)), call(twilio, "/maria", HangUp(), after_ms=500)
    )
    await twilio.settled()
    joined, *_ = sorted(
        (asked.fields for asked in application.asked if asked.path == "/conference"),
        key=lambda fields: int(fields["SequenceNumber"]),
    )
    assert (
        joined.items()
        >= {
            "ConferenceSid": caller.visits[0].conference_sid,
            "FriendlyName": "room",
            "AccountSid": ACCOUNT_SID,
            "SequenceNumber": "1",
            "CallSid": caller.call_sid,
            "Muted": "false",
            "Hold": "false",
            "Coaching": "false",
            "EndConferenceOnExit": "false",
            "StartConferenceOnEnter": "false",
        }.items()
    )
    assert joined["Timestamp"].endswith("+0000")
    assert [request.status for report in (caller, maria) for request in report.callbacks] == [204] * 4


async def test_one_alone_hears_music_and_starts_nothing(twilio: SimulatedTwilio, application: Application) -> None:
    """Even one who may start it, since a conference needs two."""
    joins(application, "/maria", "")
    maria = await call(twilio, "/maria", Wait(2000), HangUp())
    await twilio.settled()
    assert maria.visits[0].started_at_ms is None
    assert maria.longest_silence_ms() < 500
    assert [event for event, _label in told(application)] == [
        "participant-join",
        "participant-leave",
    ]


async def test_one_who_stays_behind_stays_in_the_conference(twilio: SimulatedTwilio, application: Application) -> None:
    """Without endConferenceOnExit, it hears silence, and the next participant at once."""
    joins(application, "/maria", 'participantLabel="maria"')
    caller, maria, ben = await asyncio.gather(
        call(twilio, "/caller", Wait(9000), HangUp()),
        call(twilio, "/maria", Wait(1000), HangUp()),
        call(twilio, "/maria", Say(tone(1000, BEN_HZ)), HangUp(), after_ms=4500),
    )
    [visit] = caller.visits
    assert visit.started_at_ms is not None
    assert len({report.visits[0].conference_sid for report in (caller, maria, ben)}) == 1
    assert pitches_in(caller.heard[int(visit.started_at_ms * 8) + 160 :]) == {BEN_HZ}


async def test_label_is_unique_in_a_conference(twilio: SimulatedTwilio) -> None:
    """A second call with the same label goes on with its next verb: Twilio's 16025."""
    _first, second = await asyncio.gather(
        call(twilio, "/caller", Wait(3000), HangUp()), call(twilio, "/caller", Wait(60_000), after_ms=500)
    )
    assert (second.codes, second.said, second.visits) == ([16025], ["Next verb"], [])


async def test_conference_of_the_same_name_is_another_one_afterwards(twilio: SimulatedTwilio) -> None:
    """It has a new sid."""
    reports = [await call(twilio, "/caller", Wait(200), HangUp()) for _ in range(2)]
    assert len({report.visits[0].conference_sid for report in reports}) == 2


async def test_first_participants_callback_counts(twilio: SimulatedTwilio, application: Application) -> None:
    """Those of later participants are ignored."""
    room = '<Conference beep="false" statusCallback="/other" statusCallbackEvent="join">room</Conference>'
    application.replies["/ben"] = [f"<Dial>{room}</Dial>"]
    await asyncio.gather(
        call(twilio, "/caller", Wait(4000), HangUp()), call(twilio, "/ben", Wait(500), HangUp(), after_ms=500)
    )
    await twilio.settled()
    assert "/other" not in application.paths
    assert [event for event, _label in told(application)].count("participant-join") == 2


async def test_time_limit_ends_the_dial(twilio: SimulatedTwilio, application: Application) -> None:
    """The next verb follows."""
    joins(application, "/caller", "", dial='timeLimit="2"')
    caller = await call(twilio, "/caller", Wait(60_000))
    assert caller.said == ["Next verb"]


async def test_conference_answers_the_call(twilio: SimulatedTwilio, application: Application) -> None:
    """Although answerOnBridge otherwise waits for another phone's answer."""
    joins(application, "/caller", "", dial='answerOnBridge="true"')
    caller = await call(twilio, "/caller", Wait(500), HangUp())
    assert (caller.ended_by, len(caller.visits)) == (EndedBy.CALLER, 1)


async def test_a_participant_is_heard_without_gaps(twilio: SimulatedTwilio) -> None:
    """A word of one second is heard as one second, even if the two phones' clocks differ."""

    caller, _maria = await asyncio.gather(
        call(twilio, "/caller", Wait(60_000)),
        call(twilio, "/maria", Meet(), Wait(500), Say(tone(1000, MARIA_HZ)), Wait(500), HangUp()),
    )
    [visit] = caller.visits
    assert visit.first_voice_at_ms is not None
    begin = int(visit.first_voice_at_ms * 8)
    assert caller.longest_silence_ms(visit.first_voice_at_ms, visit.first_voice_at_ms + 1000) == 0
    assert caller.heard[begin : begin + 8000] == tone(1000, MARIA_HZ)
