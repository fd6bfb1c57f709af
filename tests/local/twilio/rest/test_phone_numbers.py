"""The account's numbers through Twilio's own SDK."""

import asyncio

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio import Person, SimulatedTwilio
from tests.local.twilio.application import PUBLIC_URL, Application


async def test_number_is_found_and_pointed_at_a_webhook(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """A call to the number then requests that webhook, with the configured method."""
    application.replies["/incoming-call"] = ["<Say>Hello</Say>"]
    (number,) = await asyncio.to_thread(client.incoming_phone_numbers.list, phone_number="+15550100201")
    updated = await asyncio.to_thread(number.update, voice_url=f"{PUBLIC_URL}/incoming-call", voice_method="GET")
    assert (updated.voice_url, updated.voice_method) == (f"{PUBLIC_URL}/incoming-call", "GET")
    report = await twilio.call(Person(), to="+15550100201")
    assert report.said == ["Hello"]
    assert application.asked[0].method == "GET"


async def test_all_numbers_are_listed(client: Client) -> None:
    """Without a filter the page has every number."""
    numbers = await asyncio.to_thread(client.incoming_phone_numbers.list)
    assert [number.phone_number for number in numbers] == ["+15550100200", "+15550100201"]


async def test_unknown_number_is_not_found(client: Client) -> None:
    """An unknown sid is 20404."""
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.incoming_phone_numbers("PN" + "0" * 32).update, voice_url="")
    assert refusal.value.code == 20404


async def test_number_without_a_webhook_cannot_be_called(twilio: SimulatedTwilio) -> None:
    """The error says how to set one."""
    with pytest.raises(ValueError, match="set the number's VoiceUrl through REST"):
        await twilio.call(Person(), to="+15550100200")
