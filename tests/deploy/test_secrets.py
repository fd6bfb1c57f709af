"""The stack's secret: its prompts, the values that stay, and the writes to Secrets Manager."""

import io
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import secrets
from deploy.secrets import gather, main
from deploy.stack import DeployError
from local.stack.emulator import Emulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

GIVEN = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "1" * 32,
    "OPENAI_API_KEY": "sk-proj-0123456789abcdef",
}

WHOLE = {**GIVEN, "SIGNING_KEY": "present"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@pytest.fixture
def manager(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator["SecretsManagerClient"]:
    """Secrets Manager without a secret; all values for `make secrets` are in the environment."""
    monkeypatch.setattr(sys, "argv", ["make secrets"])
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # no terminal
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    manager = boto3.client("secretsmanager", **account.connection)
    yield manager
    manager.delete_secret(SecretId="bellhop", ForceDeleteWithoutRecovery=True)


def current(manager: "SecretsManagerClient") -> str:
    """The text of the secret."""
    return manager.get_secret_value(SecretId="bellhop")["SecretString"]


def test_values_come_from_the_environment_and_the_signing_key_is_generated() -> None:
    """The generated key is long enough to sign with, and different each time."""
    first, second = gather({}, GIVEN, None, new_signing_key=False), gather({}, GIVEN, None, new_signing_key=False)
    assert {name: first[name] for name in GIVEN} == GIVEN
    assert len(first["SIGNING_KEY"]) >= 32
    assert first["SIGNING_KEY"] != second["SIGNING_KEY"]


def test_stored_values_stay() -> None:
    """With one new value only that one changes; the signing key stays."""
    there = {**GIVEN, "SIGNING_KEY": "present"}
    again = gather(there, {"OPENAI_API_KEY": "sk-another-0123456789"}, None, new_signing_key=False)
    assert again == {**there, "OPENAI_API_KEY": "sk-another-0123456789"}


def test_a_new_signing_key_on_request() -> None:
    """It is the only value that is replaced without input."""
    there = {**GIVEN, "SIGNING_KEY": "present"}
    assert gather(there, {}, None, new_signing_key=True)["SIGNING_KEY"] != "present"


def test_missing_values_are_prompted_for() -> None:
    """An empty answer keeps the stored value."""
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
    """One error names all of them."""
    with pytest.raises(DeployError) as error:
        gather({}, {"TWILIO_ACCOUNT_SID": "SK-the-wrong-one"}, None, new_signing_key=False)
    assert "TWILIO_ACCOUNT_SID has the wrong format" in str(error.value)
    assert "TWILIO_AUTH_TOKEN is missing" in str(error.value)
    assert "OPENAI_API_KEY is missing" in str(error.value)
    assert "wrong-one" not in str(error.value)


def test_the_secret_is_created_kept_and_given_new_versions(
    manager: "SecretsManagerClient", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three runs: no secret yet, nothing new, one new value. The output contains no value."""
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


@given(
    others=st.dictionaries(st.text().filter(lambda name: name not in WHOLE), json_values), new_signing_key=st.booleans()
)
def test_keys_of_others_stay_as_they_are(others: dict[str, Any], new_signing_key: bool) -> None:
    """They keep their JSON type and order while Bellhop's values change."""
    there = {**others, **WHOLE}
    values = gather(there, {"TWILIO_AUTH_TOKEN": "2" * 32}, None, new_signing_key=new_signing_key)
    assert {name: value for name, value in values.items() if name not in WHOLE} == others
    assert list(values) == list(there)


@pytest.mark.parametrize("arguments", [[], ["--new-signing-key"]])
def test_the_command_keeps_unknown_keys(
    manager: "SecretsManagerClient",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    """A tool's key from the console survives a rotation, and is printed without its value."""
    monkeypatch.setattr(sys, "argv", ["make secrets", *arguments])
    others = {"CRM_KEY": "hush", "CRM": {"ports": [1, 2.5, None], "tls": True}}
    manager.create_secret(Name="bellhop", SecretString=json.dumps({**others, **WHOLE, "OPENAI_API_KEY": "sk-old"}))
    assert main() == 0
    after = json.loads(current(manager))
    assert {name: after[name] for name in others} == others
    assert list(after) == [*others, *WHOLE]
    assert (after["SIGNING_KEY"] == "present") is not arguments
    assert after["OPENAI_API_KEY"] == GIVEN["OPENAI_API_KEY"]
    printed = capsys.readouterr().out
    assert "Not changed: CRM_KEY, CRM." in printed
    assert "hush" not in printed


@pytest.mark.parametrize(
    "text",
    [
        "hush",
        '["hush"]',
        '"hush"',
        "1",
        "null",
        '{"CRM_KEY": NaN}',
        '{"CRM_KEY": 1e999}',
        '{"CRM_KEY": "hush"',
        "\ufeff{}",
        "[" * 60_000,
    ],
)
def test_a_secret_that_is_no_object_is_not_overwritten(
    manager: "SecretsManagerClient", capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """It may be in use; the error says what to do and does not show it."""
    manager.create_secret(Name="bellhop", SecretString=text)
    assert main() == 1
    assert current(manager) == text
    error = capsys.readouterr().err
    assert error.startswith("The secret bellhop must be a JSON object")
    assert "hush" not in error


def test_a_binary_secret_is_not_overwritten(
    manager: "SecretsManagerClient", capsys: pytest.CaptureFixture[str]
) -> None:
    """A binary secret has no text."""
    manager.create_secret(Name="bellhop", SecretBinary=b"hush")
    assert main() == 1
    assert manager.get_secret_value(SecretId="bellhop")["SecretBinary"] == b"hush"
    assert capsys.readouterr().err.startswith("The secret bellhop must be a JSON object")


@pytest.mark.parametrize("value", [1, ["sk-proj-0123456789abcdef"], {"key": "sk-proj-0123456789abcdef"}, True])
@pytest.mark.parametrize("name", WHOLE)
def test_a_value_of_ours_that_is_not_text_is_named(name: str, value: Any) -> None:
    """After a manual edit the error names the key and shows no value."""
    with pytest.raises(DeployError, match=f"^{name} .*") as error:
        gather({**WHOLE, name: value}, {}, None, new_signing_key=False)
    assert "0123456789" not in str(error.value)


@pytest.mark.parametrize("there", [None, {**WHOLE, "OPENAI_API_KEY": "sk-old"}])
def test_a_change_at_the_same_moment_is_not_lost(
    manager: "SecretsManagerClient",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    there: dict[str, Any] | None,
) -> None:
    """A key is added in the console while the command waits for input. A second run stores both."""
    if there:
        manager.create_secret(Name="bellhop", SecretString=json.dumps(there))
    theirs = json.dumps({**WHOLE, "OPENAI_API_KEY": "sk-old", "CRM_KEY": "hush"})

    def slowly(*arguments: Any, **named: Any) -> dict[str, Any]:
        values = gather(*arguments, **named)
        if there:
            manager.put_secret_value(SecretId="bellhop", SecretString=theirs)
        else:
            manager.create_secret(Name="bellhop", SecretString=theirs)
        return values

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(secrets, "gather", slowly)
        assert main() == 1
    assert current(manager) == theirs
    assert capsys.readouterr().err.startswith("The secret bellhop was changed by somebody else")
    assert main() == 0
    assert json.loads(current(manager)) == {**json.loads(theirs), "OPENAI_API_KEY": GIVEN["OPENAI_API_KEY"]}


def test_no_credentials_are_a_sentence_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This is usually a new user's first error."""
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
