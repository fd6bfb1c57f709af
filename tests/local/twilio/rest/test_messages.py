"""SMS through Twilio's own SDK: accepted and recorded, or refused with Twilio's codes."""

import asyncio

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio import SimulatedTwilio

FROM, TO = "+15550100200", "+15557654321"


async def test_accepted_message_is_remembered_and_found(twilio: SimulatedTwilio, client: Client) -> None:
    """The SDK reads the answer and can fetch the message, and the simulation has its exact text."""
    waiting = asyncio.create_task(twilio.wait_for_messages(1))
    created = await asyncio.to_thread(client.messages.create, to=TO, from_=FROM, body="Ring Tom & Jérôme: +1")
    (message,) = await waiting
    assert (message.to, message.from_, message.body) == (TO, FROM, "Ring Tom & Jérôme: +1")
    assert created.sid == message.sid
    assert str(created.status) == "queued"
    assert created.date_created is not None
    assert abs((created.date_created - message.sent_at).total_seconds()) < 1
    found = await asyncio.to_thread(client.messages(message.sid).fetch)
    assert found.body == message.body


@pytest.mark.parametrize(
    ("body", "segments"),
    [("a" * 160, 1), ("a" * 161, 2), ("ü" * 160, 1), ("ф" * 70, 1), ("ф" * 71, 2)],
)
async def test_long_messages_take_several_segments(client: Client, body: str, segments: int) -> None:
    """One segment holds 160 characters of GSM-7 or 70 others, and a little less in a longer message."""
    message = await asyncio.to_thread(client.messages.create, to=TO, from_=FROM, body=body)
    assert message.num_segments == str(segments)


@pytest.mark.parametrize(
    ("to", "from_", "body", "code"),
    [
        ("", FROM, "Hello", 21604),
        (TO, FROM, "", 21602),
        (TO, "", "Hello", 21603),
        ("5557654321", FROM, "Hello", 21211),
        (FROM, FROM, "Hello", 21266),
        (TO, "+15559999999", "Hello", 21659),
        (TO, FROM, "x" * 1601, 21617),
    ],
)
async def test_wrong_messages_are_refused(
    twilio: SimulatedTwilio, client: Client, to: str, from_: str, body: str, code: int
) -> None:
    """With the code that the SDK's exception carries; nothing is sent."""
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.messages.create, to=to, from_=from_, body=body)
    assert (refusal.value.status, refusal.value.code) == (400, code)
    assert twilio.messages == []


async def test_waiting_for_messages_has_an_end(twilio: SimulatedTwilio) -> None:
    """It stops after its time limit."""
    with pytest.raises(TimeoutError):
        await twilio.wait_for_messages(1, limit_s=0.05)
