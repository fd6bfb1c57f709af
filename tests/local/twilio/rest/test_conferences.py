"""Conferences as Twilio's own SDK lists them."""

import asyncio

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio import Line, SimulatedTwilio
from tests.local.twilio.application import Application

WEBHOOK = "https://bellhop.example/incoming-call"


async def test_conference_and_its_participants_are_listed(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """While it lasts, and the conference itself afterwards too."""
    room = '<Conference participantLabel="caller" endConferenceOnExit="true">room</Conference>'
    application.replies["/incoming-call"] = [f"<Dial>{room}</Dial>"]
    labels: list[object] = []

    class Curious:
        async def run(self, line: Line) -> None:
            await line.wait(1000)
            await asyncio.to_thread(self.look)
            await line.hang_up()

        def look(self) -> None:
            [found] = client.conferences.list(friendly_name="room", status="init")
            assert found.sid is not None
            conference = client.conferences(found.sid)
            [participant] = conference.participants.list()
            labels.append(conference.participants(participant.call_sid or "").fetch().label)
            labels.append(conference.participants("caller").fetch().call_sid == participant.call_sid)

    report = await twilio.call(Curious(), webhook=WEBHOOK)
    assert labels == ["caller", True]
    found = await asyncio.to_thread(client.conferences(twilio.conferences[0].sid).fetch)
    assert (str(found.status), found.call_sid_ending_conference) == ("completed", report.call_sid)
    assert await asyncio.to_thread(client.conferences(twilio.conferences[0].sid).participants.list) == []


async def test_unknown_conference_is_not_found(client: Client) -> None:
    """A sid of nobody is 20404."""
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.conferences("CF" + "0" * 32).fetch)
    assert refusal.value.code == 20404
