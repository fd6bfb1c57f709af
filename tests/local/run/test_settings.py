"""How `make run` reads its environment."""

from pathlib import Path

import pytest

from local.run.settings import PORT, RunSettingsError, read
from local.stack.process import REPOSITORY

REAL = {
    "PUBLIC_URL": "https://tunnel.example",
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "token",
    "ON_CALL_NUMBERS": "+15550001111",
    "ALERT_FROM": "+15550002222",
}


def test_nothing_set_is_all_simulated() -> None:
    """Without account and key; empty variables count as unset. Credentials alone do not make the phone real."""
    settings = read({"OPENAI_API_KEY": " ", "TWILIO_AUTH_TOKEN": "token"})
    assert (settings.port, settings.openai_api_key, settings.phone) == (PORT, None, None)
    assert settings.agents_dir == REPOSITORY / "agents"


def test_agents_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is resolved against the current folder, not the worker's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert read({"AGENTS_DIR": "mine"}).agents_dir == tmp_path / "mine"


def test_a_key_makes_the_model_real() -> None:
    """OpenAI itself, or a service with the same protocol at another address."""
    settings = read({"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://here/v1", "PORT": "9000"})
    assert (settings.openai_api_key, settings.openai_base_url, settings.port) == ("sk", "http://here/v1", 9000)


def test_a_tunnel_and_credentials_make_the_phone_real() -> None:
    """People get real messages, so recipients and sender are required."""
    phone = read(REAL).phone
    assert phone is not None
    assert (phone.public_url, phone.account_sid, phone.api_url) == ("https://tunnel.example", "AC1", None)
    assert phone.parameters == {"OnCallNumbers": "+15550001111", "AlertFrom": "+15550002222"}
    assert "token" not in repr(phone)


@pytest.mark.parametrize("missing", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "ON_CALL_NUMBERS", "ALERT_FROM"])
def test_what_real_calls_lack_is_named(missing: str) -> None:
    """A tunnel without the rest is a mistake, not a simulation."""
    with pytest.raises(RunSettingsError, match=f"these also need {missing}"):
        read(REAL | {missing: ""})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"PUBLIC_URL": "http://x"}, "https://"),
        ({"PORT": "x"}, "PORT is 'x'"),
        ({"AGENTS_DIR": "/nowhere"}, "AGENTS_DIR must be the folder of the agents; /nowhere is not a folder"),
    ],
)
def test_invalid_values_are_refused(wrong: dict[str, str], message: str) -> None:
    """The error has the variable's name and the allowed values."""
    with pytest.raises(RunSettingsError, match=message):
        read(REAL | wrong)
