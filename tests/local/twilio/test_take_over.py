"""A take-over with all parts together: stream, call, keys, conference."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from twilio.rest import Client

from local.audio.pitch import pitches_in
from local.audio.speech import tone
from local.twilio import Answers, EndedBy, Person, SimulatedTwilio
from local.twilio.person import HangUp, Hear, Listen, Meet, Press, Say, Wait
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, STREAM_URL, Application, Reply
from tests.local.twilio.probe import Conversation, Probe
from tests.local.twilio.rest.redirected import Redirected

NUMBER, MARIA = "+15550100200", "+15550100301"
AGENT_HZ, CALLER_HZ, MARIA_HZ = 400, 600, 800
SPOKEN = tone(300, 1000)


@pytest.fixture
async def twilio(application: Application, probe: Probe) -> AsyncIterator[SimulatedTwilio]:
    """An account whose <Say> is audible."""
    tunnels = {PUBLIC_URL: application.address, "wss://worker.example": probe.address}
    async with SimulatedTwilio(
        ACCOUNT_SID, AUTH_TOKEN, numbers=[NUMBER], tunnels=tunnels, speak=lambda _text, _language: SPOKEN, speed=2
    ) as twilio:
        yield twilio


@pytest.fixture
def _take_over(application: Application) -> None:
    conference = (
        '<Conference beep="false" statusCallback="/conference" statusCallbackEvent="join leave" {}>1</Conference>'
    )
    caller = conference.format('startConferenceOnEnter="false" endConferenceOnExit="true" participantLabel="caller"')
    person = conference.format('endConferenceOnExit="true" participantLabel="person"')
    application.replies |= {
        "/incoming-call": [f'<Connect action="/stream-ended"><Stream url="{STREAM_URL}"/></Connect>'],
        "/stream-ended": [f'<Dial action="/transfer-ended">{caller}</Dial>'],
        "/transfer-ended": ["<Say>Is there anything else?</Say>"],
        "/join": ['<Gather numDigits="1" action="/pressed"><Say>A lost key. Press 1.</Say></Gather>'],
        "/pressed": ["<Redirect>/wait</Redirect>"],
        "/wait": ["<Say>One moment.</Say><Pause/><Redirect/>", f'<Dial action="/left">{person}</Dial>'],
        "/left": ["<Say>The caller has left.</Say>"],
        "/conference": [Reply("", status=204)],
    }


@pytest.mark.usefixtures("_take_over")
async def test_person_takes_a_caller_over(twilio: SimulatedTwilio, application: Application, probe: Probe) -> None:
    """Neither side hears a long silence between the agent's last word and the person's first."""
    client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=Redirected(twilio.api_url))

    async def agent(conversation: Conversation, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            place = {"to": MARIA, "from_": NUMBER, "url": f"{PUBLIC_URL}/join"}
            await asyncio.to_thread(client.calls.create, **place)
            await conversation.play(tone(1500, AGENT_HZ), mark="joining")
        if message["event"] == "mark":
            await conversation.socket.close()

    probe.react = agent
    twilio.phones[MARIA] = Answers(Hear(), Press("1"), Meet(), Say(tone(1000, MARIA_HZ)), Listen(500), HangUp())
    caller = await twilio.call(
        Person(Listen(500), Meet(), Listen(500), Say(tone(1000, CALLER_HZ)), Wait(60_000)),
        webhook=f"{PUBLIC_URL}/incoming-call",
        to=NUMBER,
    )
    [person] = await twilio.calls_to(MARIA)
    await twilio.settled()
    [visit] = caller.visits
    agent_done = caller.streams[-1].last_audio_ms
    assert agent_done is not None
    assert visit.first_voice_at_ms is not None
    assert caller.longest_silence_ms(agent_done, visit.first_voice_at_ms) <= 3000
    assert {AGENT_HZ, MARIA_HZ} <= pitches_in(caller.heard)
    assert CALLER_HZ in pitches_in(person.heard)
    assert (person.ended_by, caller.said) == (EndedBy.CALLEE, ["Is there anything else?"])
    assert person.said == ["A lost key. Press 1.", "One moment."]
    assert all(asked.signed for asked in application.asked)
