"""The stack's secret: what is asked for, what stays, and what is written to Secrets Manager."""

import io
import json
import sys

import boto3
import pytest

from deploy.secrets import gather, main
from deploy.stack import DeployError
from local.emulator import Emulator

GIVEN = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "1" * 32,
    "OPENAI_API_KEY": "sk-proj-0123456789abcdef",
}


def test_values_come_from_the_environment_and_the_signing_key_is_made() -> None:
    """A key that nobody typed, long enough to sign with, and another one each time."""
    first, second = gather({}, GIVEN, None, new_signing_key=False), gather({}, GIVEN, None, new_signing_key=False)
    assert {name: first[name] for name in GIVEN} == GIVEN
    assert len(first["SIGNING_KEY"]) >= 32
    assert first["SIGNING_KEY"] != second["SIGNING_KEY"]


def test_what_is_there_stays() -> None:
    """Run again with one new value: only that one changes, the signing key least of all."""
    there = {**GIVEN, "SIGNING_KEY": "present"}
    again = gather(there, {"OPENAI_API_KEY": "sk-another-0123456789"}, None, new_signing_key=False)
    assert again == {**there, "OPENAI_API_KEY": "sk-another-0123456789"}


def test_a_new_signing_key_is_made_when_asked_for() -> None:
    """The one value that is replaced without being given."""
    there = {**GIVEN, "SIGNING_KEY": "present"}
    assert gather(there, {}, None, new_signing_key=True)["SIGNING_KEY"] != "present"


def test_what_the_environment_lacks_is_asked_for() -> None:
    """An empty answer keeps what is there."""
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "" if "SID" in prompt else " sk-typed-0123456789abc "

    there = {**GIVEN, "SIGNING_KEY": "present"}
    values = gather(there, {"TWILIO_AUTH_TOKEN": "2" * 32}, ask, new_signing_key=False)
    assert values["TWILIO_ACCOUNT_SID"] == GIVEN["TWILIO_ACCOUNT_SID"]
    assert values["OPENAI_API_KEY"] == "sk-typed-0123456789abc"
    assert [prompt.split()[0] for prompt in prompts] == ["TWILIO_ACCOUNT_SID", "OPENAI_API_KEY"]


def test_every_missing_or_wrong_value_is_named_and_none_is_shown() -> None:
    """All of them at once, so that nobody has to run it three times."""
    with pytest.raises(DeployError) as error:
        gather({}, {"TWILIO_ACCOUNT_SID": "SK-the-wrong-one"}, None, new_signing_key=False)
    assert "TWILIO_ACCOUNT_SID does not look right" in str(error.value)
    assert "TWILIO_AUTH_TOKEN is missing" in str(error.value)
    assert "OPENAI_API_KEY is missing" in str(error.value)
    assert "wrong-one" not in str(error.value)


def test_the_secret_is_created_kept_and_given_new_versions(
    account: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three runs of the command: no secret yet, nothing new, one new value. What is printed holds no value."""
    monkeypatch.setattr(sys, "argv", ["make secrets"])
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # nobody to ask
    manager = boto3.client("secretsmanager", **account.connection)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)

    assert main() == 0
    first = manager.get_secret_value(SecretId="bellhop")
    assert main() == 0
    assert manager.get_secret_value(SecretId="bellhop")["VersionId"] == first["VersionId"]
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "3" * 32)
    assert main() == 0

    third = manager.get_secret_value(SecretId="bellhop")
    assert third["VersionId"] != first["VersionId"]
    assert json.loads(third["SecretString"]) == {**json.loads(first["SecretString"]), "TWILIO_AUTH_TOKEN": "3" * 32}
    printed = capsys.readouterr().out
    assert "has a new TWILIO_AUTH_TOKEN" in printed
    assert not [value for value in json.loads(third["SecretString"]).values() if value in printed]


def test_no_credentials_are_a_sentence_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first thing that goes wrong for a newcomer."""
    monkeypatch.setattr(sys, "argv", ["make secrets"])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert main() == 1
    assert capsys.readouterr().err.startswith("AWS credentials are missing")
