"""Twilio's own REST client, pointed at the simulated Twilio."""

from collections.abc import AsyncIterator

import pytest
from twilio.rest import Client

from local.twilio import SimulatedTwilio
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, Application
from tests.local.twilio.rest.redirected import Redirected

NUMBERS = ("+15550100200", "+15550100201")


@pytest.fixture
async def twilio(application: Application) -> AsyncIterator[SimulatedTwilio]:
    """An account with two numbers."""
    tunnels = {PUBLIC_URL: application.address}
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, numbers=NUMBERS, tunnels=tunnels, speed=10) as twilio:
        yield twilio


@pytest.fixture
def client(twilio: SimulatedTwilio) -> Client:
    """The SDK with the account's credentials. It blocks, so tests call it in threads."""
    return Client(ACCOUNT_SID, AUTH_TOKEN, http_client=Redirected(twilio.api_url))
