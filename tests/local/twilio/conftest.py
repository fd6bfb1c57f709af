"""A simulated Twilio between a small application and a small media stream server, at ten times real time."""

from collections.abc import AsyncIterator

import pytest

from local.twilio import SimulatedTwilio
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, STREAM_URL, Application
from tests.local.twilio.probe import Probe

WORKER_URL = "wss://worker.example"
STREAM = f'<Stream url="{STREAM_URL}"><Parameter name="token" value="secret"/></Stream>'
CONNECT = f'<Connect action="/stream-ended">{STREAM}</Connect><Say>fallback</Say>'


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    """The application that answers webhooks."""
    async with Application() as application:
        yield application


@pytest.fixture
async def probe() -> AsyncIterator[Probe]:
    """The media stream server."""
    async with Probe() as probe:
        yield probe


@pytest.fixture
async def twilio(application: Application, probe: Probe) -> AsyncIterator[SimulatedTwilio]:
    """A simulated Twilio that reaches both by their public URLs."""
    tunnels = {PUBLIC_URL: application.address, WORKER_URL: probe.address}
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=10) as twilio:
        yield twilio


@pytest.fixture
def connected(application: Application) -> Application:
    """An application that connects the call to the stream, and says goodbye after it."""
    application.replies["/incoming-call"] = [CONNECT]
    application.replies["/stream-ended"] = ["<Say>Goodbye</Say>"]
    return application
