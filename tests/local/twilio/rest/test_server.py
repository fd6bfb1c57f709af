"""Authentication of the REST API, and its injected failures."""

import asyncio

import pytest
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from local.twilio import Fault, SimulatedTwilio
from tests.local.twilio.application import ACCOUNT_SID, AUTH_TOKEN
from tests.local.twilio.rest.redirected import Redirected

MESSAGE = {"to": "+15557654321", "from_": "+15550100200", "body": "Hello"}


async def test_wrong_credentials_are_refused(twilio: SimulatedTwilio) -> None:
    """Twilio's 20003, with status 401."""
    stranger = Client(ACCOUNT_SID, "wrong", http_client=Redirected(twilio.api_url))
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(stranger.messages.create, **MESSAGE)
    assert (refusal.value.status, refusal.value.code) == (401, 20003)


async def test_another_accounts_resources_are_not_found(client: Client) -> None:
    """A path outside of the account is 20404."""
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.api.v2010.accounts("AC" + "9" * 32).messages.create, **MESSAGE)
    assert refusal.value.code == 20404


async def test_what_is_not_simulated_is_refused_by_name(client: Client) -> None:
    """An unknown resource, and an unknown method of a known one."""
    with pytest.raises(TwilioException, match=r"GET .*/Conferences/CF0.json is not simulated"):
        await asyncio.to_thread(client.conferences("CF0").fetch)
    with pytest.raises(TwilioException, match=r"GET .*/Calls.json is not simulated"):
        await asyncio.to_thread(client.calls.list)


@pytest.mark.parametrize(("status", "code"), [(500, 20500), (503, 20503), (429, 20429)])
async def test_ordered_failure_happens_as_often_as_it_was_ordered(
    twilio: SimulatedTwilio, client: Client, status: int, code: int
) -> None:
    """A failed request has no effect; other resources and later requests are served."""
    twilio.fail(Fault("Messages", status=status, code=code))
    await asyncio.to_thread(client.incoming_phone_numbers.list)
    with pytest.raises(TwilioRestException) as refusal:
        await asyncio.to_thread(client.messages.create, **MESSAGE)
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert twilio.messages == []
    await asyncio.to_thread(client.messages.create, **MESSAGE)
    assert len(twilio.messages) == 1


async def test_answer_can_be_lost_after_the_deed(twilio: SimulatedTwilio, client: Client) -> None:
    """The client sees a failure, although the SMS was sent."""
    twilio.fail(Fault("Messages", status=502, carried_out=True))
    with pytest.raises(TwilioRestException):
        await asyncio.to_thread(client.messages.create, **MESSAGE)
    assert len(twilio.messages) == 1


@pytest.mark.parametrize("carried_out", [False, True])
async def test_connection_can_be_closed_before_or_after_the_deed(
    twilio: SimulatedTwilio, client: Client, *, carried_out: bool
) -> None:
    """The client sees the same failure in both cases."""
    twilio.fail(Fault("Messages", closes=True, carried_out=carried_out))
    with pytest.raises(RequestsConnectionError):
        await asyncio.to_thread(client.messages.create, **MESSAGE)
    assert len(twilio.messages) == int(carried_out)


async def test_fault_can_be_meant_for_one_method(twilio: SimulatedTwilio, client: Client) -> None:
    """Messages can be fetched, but not sent."""
    sent = await asyncio.to_thread(client.messages.create, **MESSAGE)
    twilio.fail(Fault("/Messages", method="POST", status=503))
    await asyncio.to_thread(sent.fetch)
    with pytest.raises(TwilioRestException):
        await asyncio.to_thread(client.messages.create, **MESSAGE)
    assert len(twilio.messages) == 1


async def test_answer_can_be_too_late(twilio: SimulatedTwilio) -> None:
    """A client with a timeout gives up; closing the simulation does not wait for the answer."""
    hasty = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=Redirected(twilio.api_url, timeout_s=0.2))
    twilio.fail(Fault("Messages", delay_s=3600))
    with pytest.raises(ReadTimeout):
        await asyncio.to_thread(hasty.messages.create, **MESSAGE)
