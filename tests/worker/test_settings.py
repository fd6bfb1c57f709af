"""The worker's settings."""

import pytest

from local.stack.process import REPOSITORY
from shared.settings import SettingsError
from worker.settings import WorkerSettings

ENVIRON = {
    "TABLE_NAME": "table",
    "OPENAI_API_KEY": "sk-secret",
    "TWILIO_AUTH_TOKEN": "token",
    "STREAM_URL": "wss://worker.example/media-stream",
    "SIGNING_KEY": "0123456789abcdef",
    "ESCALATION_QUEUE_URL": "https://sqs.example/queue",
}


def test_defaults() -> None:
    """Optional settings have working defaults."""
    settings = WorkerSettings.from_environ(ENVIRON)
    assert settings.port == 8080
    assert settings.openai_base_url == "https://api.openai.com/v1"
    assert settings.agents_dir == REPOSITORY / "agents"


def test_all_that_is_wrong() -> None:
    """Every wrong variable is named at once, and no secret is shown."""
    with pytest.raises(SettingsError) as wrong:
        WorkerSettings.from_environ({**ENVIRON, "PORT": "eighty", "OPENAI_BASE_URL": "wss://x", "SIGNING_KEY": "short"})
    message = str(wrong.value)
    assert all(name in message for name in ("PORT", "OPENAI_BASE_URL", "SIGNING_KEY"))
    assert "sk-secret" not in message
    assert "short" not in message.replace("shorter", "")


def test_callback_countries() -> None:
    """Countries are two-letter codes; by default there are none."""
    assert WorkerSettings.from_environ(ENVIRON).callback_countries == ()
    assert WorkerSettings.from_environ({**ENVIRON, "CALLBACK_COUNTRIES": "us, CA"}).callback_countries == ("US", "CA")
    with pytest.raises(SettingsError, match=r"CALLBACK_COUNTRIES \(.*\): entry 2 is no country"):
        WorkerSettings.from_environ({**ENVIRON, "CALLBACK_COUNTRIES": "US,UK"})
