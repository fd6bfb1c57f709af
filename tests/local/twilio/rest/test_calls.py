"""Live calls through Twilio's own SDK."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.twilio import CallReport, EndedBy, Line, Person, SimulatedTwilio
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, STREAM_URL, Application
from tests.local.twilio.probe import Conversation, Probe
from tests.local.twilio.rest.redirected import Redirected

WEBHOOK = f"{PUBLIC_URL}/incoming-call"


class Operator:
    """A caller who, once connected, changes their own call by REST."""

    def __init__(self, twilio: SimulatedTwilio, client: Client, act: Callable[[Client, str], object]) -> None:
        self._twilio = twilio
        self._client = client
        self._act = act

    async def call(self) -> CallReport:
        """Makes the call, and returns its report."""
        return await self._twilio.call(self, webhook=WEBHOOK)

    async def run(self, _line: Line) -> None:
        """Acts on the only call."""
        [call] = self._twilio.calls
        await asyncio.to_thread(self._act, self._client, call)


@pytest.fixture(autouse=True)
def _long_call(application: Application) -> None:
    """A call that does not end by itself."""
    application.replies["/incoming-call"] = ['<Say>Hello</Say><Pause length="9000"/><Say>never</Say>']
    application.replies["/transfer"] = ["<Say>Transferred</Say>"]


async def test_update_ends_the_stream_and_does_not_ask_its_action(application: Application, probe: Probe) -> None:
    """The stream gets its stop; the action of <Connect> is not requested."""
    stream = f'<Stream url="{STREAM_URL}"/>'
    application.replies["/incoming-call"] = [f'<Connect action="/stream-ended">{stream}</Connect>']
    tunnels = {PUBLIC_URL: application.address, "wss://worker.example": probe.address}
    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, tunnels=tunnels, speed=10) as twilio:

        async def transfer(_conversation: Conversation, message: dict[str, Any]) -> None:
            if message["event"] == "start":
                client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=Redirected(twilio.api_url))
                call = client.calls(message["start"]["callSid"])
                await asyncio.to_thread(call.update, url=f"{PUBLIC_URL}/transfer")

        probe.react = transfer
        report = await twilio.call(Person(), webhook=WEBHOOK)
    assert probe.conversations[0].messages[-1]["event"] == "stop"
    assert report.said == ["Transferred"]
    assert application.paths == ["/incoming-call", "/transfer"]


async def test_url_replaces_what_is_performed(
    twilio: SimulatedTwilio, client: Client, application: Application
) -> None:
    """The new document is requested with a signature; the rest of the old one is not performed."""
    url = f"{PUBLIC_URL}/transfer"
    report = await Operator(twilio, client, lambda client, sid: client.calls(sid).update(url=url, method="GET")).call()
    assert (report.said[-1], "never" in report.said, report.status) == ("Transferred", False, "completed")
    assert (application.asked[-1].method, application.asked[-1].signed) == ("GET", True)


async def test_status_completed_hangs_up(twilio: SimulatedTwilio, client: Client) -> None:
    """The call is over, and its report says who ended it."""
    report = await Operator(twilio, client, lambda client, sid: client.calls(sid).update(status="completed")).call()
    assert (report.ended_by, report.status) == (EndedBy.REST, "completed")
    found = await asyncio.to_thread(client.calls(report.call_sid).fetch)
    assert str(found.status) == "completed"
    assert (found._from, found.direction) == (report.from_, "inbound")


async def test_ended_call_cannot_be_updated(twilio: SimulatedTwilio, client: Client) -> None:
    """Twilio's error 21220."""
    report = await Operator(twilio, client, lambda client, sid: client.calls(sid).update(status="completed")).call()
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.calls(report.call_sid).update, url=WEBHOOK)
    assert refusal.value.code == 21220


@pytest.mark.parametrize(("options", "status"), [({}, 400), ({"status": "busy"}, 400), ({"twiml": "<Response/>"}, 501)])
async def test_unusable_update_is_refused_and_changes_nothing(
    twilio: SimulatedTwilio, client: Client, options: dict[str, str], status: int
) -> None:
    """The call goes on unchanged."""
    statuses: list[object] = []

    def update(client: Client, sid: str) -> None:
        with pytest.raises(TwilioRestException) as refusal:
            client.calls(sid).update(**options)
        statuses.append(refusal.value.status)
        client.calls(sid).update(status="completed")

    report = await Operator(twilio, client, update).call()
    assert statuses == [status]
    assert (report.ended_by, report.warnings) == (EndedBy.REST, [])


async def test_unknown_call_is_not_found(client: Client) -> None:
    """An unknown sid is 20404."""
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.calls("CA" + "0" * 32).fetch)
    assert refusal.value.code == 20404
