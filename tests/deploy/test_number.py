"""`make number`, tested with the simulated Twilio's REST API and the emulator."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import boto3
import pytest
from pydantic import SecretStr

from deploy.number import credentials, main, point
from deploy.stack import DeployError
from local.stack.emulator import Emulator
from local.twilio import SimulatedTwilio
from shared.twilio.rest import rest_client

SID, TOKEN = "AC" + "0" * 32, "1" * 32
NUMBER = "+15550100200"
URL = "https://abc.execute-api.us-east-1.amazonaws.com/incoming-call"
STACK = {
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    "Outputs": {"IncomingCallUrl": {"Value": URL}},
}


@pytest.fixture
async def twilio() -> AsyncIterator[SimulatedTwilio]:
    """An account with two numbers."""
    async with SimulatedTwilio(SID, TOKEN, numbers=[NUMBER, "+15550100201"]) as twilio:
        yield twilio


@pytest.fixture
def deployed(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack with the output that is needed here, and the stack's secret."""
    cloudformation = boto3.client("cloudformation", **account.connection)
    manager = boto3.client("secretsmanager", **account.connection)
    cloudformation.create_stack(StackName="bellhop", TemplateBody=json.dumps(STACK))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="bellhop", WaiterConfig={"Delay": 1})
    values = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN}
    manager.create_secret(Name="bellhop", SecretString=json.dumps(values))
    yield
    cloudformation.delete_stack(StackName="bellhop")
    manager.delete_secret(SecretId="bellhop", ForceDeleteWithoutRecovery=True)


async def test_the_number_uses_the_stacks_webhook(
    deployed: None, twilio: SimulatedTwilio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command: URL from the stack, credentials from the secret, the number's webhook changed."""
    monkeypatch.setenv("TWILIO_API_URL", twilio.api_url)
    monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
    assert await asyncio.to_thread(main, [NUMBER]) == 0
    numbers = rest_client(SID, SecretStr(TOKEN), twilio.api_url).incoming_phone_numbers
    [number] = await asyncio.to_thread(numbers.list, phone_number=NUMBER)
    assert (number.voice_url, number.voice_method) == (URL, "POST")
    assert f"Calls to {NUMBER} now use the webhook {URL}" in capsys.readouterr().out


async def test_the_previous_webhook_is_returned(twilio: SimulatedTwilio) -> None:
    """A change by mistake can be undone with the previous URL."""
    client = rest_client(SID, SecretStr(TOKEN), twilio.api_url)
    assert await asyncio.to_thread(point, client, NUMBER, "https://old.example.com/voice") == ""
    assert await asyncio.to_thread(point, client, NUMBER, URL) == "https://old.example.com/voice"


async def test_an_unknown_number_lists_the_accounts_numbers(twilio: SimulatedTwilio) -> None:
    """A part of a number is refused, even if Twilio finds a number by it."""
    client = rest_client(SID, SecretStr(TOKEN), twilio.api_url)
    with pytest.raises(DeployError, match=r"^\+1555010020 is not .* has \+15550100200, \+15550100201\.$"):
        await asyncio.to_thread(point, client, "+1555010020", URL)


async def test_wrong_credentials_show_twilios_error(twilio: SimulatedTwilio) -> None:
    """The error is Twilio's message, without a traceback."""
    client = rest_client(SID, SecretStr("wrong"), twilio.api_url)
    with pytest.raises(DeployError, match=r"^Twilio: .*Authenticate"):
        await asyncio.to_thread(point, client, NUMBER, URL)


@pytest.mark.parametrize("arguments", [[], ["5550100200"], ["+1 555 010 0200"], [NUMBER, NUMBER]])
def test_a_number_must_be_written_in_full(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The number is checked before any request."""
    assert main(arguments) == 1
    assert "make number NUMBER=+15551234567" in capsys.readouterr().err


def test_without_a_stack_the_next_step_is_named(account: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the region, which is the usual mistake."""
    assert main([NUMBER]) == 1
    assert capsys.readouterr().err == "There is no stack bellhop in us-east-1. Run `make deploy` first.\n"


def test_credentials_of_the_environment_come_first() -> None:
    """So a number of another Twilio account can use the stack."""
    sid, token = credentials({"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t"})
    assert (sid, token.get_secret_value()) == ("AC1", "t")


@pytest.mark.parametrize("text", ["hush", "{}", '{"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": 1}'])
def test_a_secret_without_credentials_names_the_next_step(
    account: Emulator, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The error has no traceback, which would show the secret."""
    manager = boto3.client("secretsmanager", **account.connection)
    manager.create_secret(Name="bellhop", SecretString=text)
    try:
        with pytest.raises(DeployError, match="`make secrets`") as error:
            credentials({})
    finally:
        manager.delete_secret(SecretId="bellhop", ForceDeleteWithoutRecovery=True)
    assert "hush" not in str(error.value)
