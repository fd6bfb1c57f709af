"""The settings of the functions that deal with people on call."""

import pytest

from shared.on_call.settings import OnCallSettings
from shared.settings import SettingsError
from tests.functions.alerts.lambda_events import ALERT_FROM, ANNA, BORIS

GOOD = {
    "TABLE_NAME": "table",
    "REMINDER_QUEUE_URL": "http://127.0.0.1/queue",
    "PUBLIC_URL": "https://api.example.com",
    "SIGNING_KEY": "key",
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "token",
    "ON_CALL_NUMBERS": ANNA,
    "ALERT_FROM": ALERT_FROM,
}


@pytest.mark.parametrize("listed", [f"{ANNA},{BORIS}", f" {ANNA} , {BORIS},", f"{ANNA},{BORIS},{ANNA}"])
def test_who_is_on_call(listed: str) -> None:
    """Numbers with commas between them, each person once."""
    assert OnCallSettings.from_environ({**GOOD, "ON_CALL_NUMBERS": listed}).on_call_numbers == (ANNA, BORIS)


def test_a_wrong_number() -> None:
    """A number without its country code fails at the start, not when the first alert is sent."""
    with pytest.raises(SettingsError, match=r"ON_CALL_NUMBERS \(.*\): must be a phone number with its country code"):
        OnCallSettings.from_environ({**GOOD, "ON_CALL_NUMBERS": f"{ANNA},5551234"})


@pytest.mark.parametrize("sender", [ALERT_FROM, "MG" + "0" * 32])
def test_whom_alerts_come_from(sender: str) -> None:
    """A number or a messaging service."""
    assert OnCallSettings.from_environ({**GOOD, "ALERT_FROM": sender}).alert_from == sender


@pytest.mark.parametrize("sender", ["Bellhop", "5551234567", "MG123", f"{ALERT_FROM}00000", "MG" + "0" * 33])
def test_a_wrong_sender(sender: str) -> None:
    """Anything else is refused."""
    with pytest.raises(SettingsError, match=r"ALERT_FROM \(.*\): must be a phone number such as"):
        OnCallSettings.from_environ({**GOOD, "ALERT_FROM": sender})


def test_a_topic_alone() -> None:
    """No SMS recipient is needed if a topic gets the alerts."""
    found = OnCallSettings.from_environ({**GOOD, "ON_CALL_NUMBERS": "", "ALERT_FROM": "", "ALERT_TOPIC_ARN": "arn"})
    assert (found.on_call_numbers, found.alert_topic_arn) == ((), "arn")


def test_a_roster_alone() -> None:
    """The settings may name nobody, since the table may have a roster. People who cannot be alerted are an error."""
    assert OnCallSettings.from_environ({**GOOD, "ON_CALL_NUMBERS": ""}).on_call_numbers == ()
    with pytest.raises(SettingsError, match="ALERT_FROM is not set"):
        OnCallSettings.from_environ({**GOOD, "ALERT_FROM": ""})


def test_the_signing_key_is_a_secret() -> None:
    """It is never shown, since it opens every page of the desk."""
    assert "key" not in repr(OnCallSettings.from_environ(GOOD).signing_key)


def test_twilio_elsewhere() -> None:
    """The REST API may be on another machine, over plain HTTP. A slash at the end is ignored."""
    found = OnCallSettings.from_environ({**GOOD, "TWILIO_API_URL": "http://twilio.test:8081/"})
    assert found.twilio_api_url == "http://twilio.test:8081"
    with pytest.raises(SettingsError, match=r"TWILIO_API_URL .* must begin with https:// or http://"):
        OnCallSettings.from_environ({**GOOD, "TWILIO_API_URL": "twilio.test"})


def test_callback_countries() -> None:
    """By their two-letter codes; by default the country of the called number."""
    assert OnCallSettings.from_environ(GOOD).callback_countries == ()
    assert OnCallSettings.from_environ({**GOOD, "CALLBACK_COUNTRIES": "us, CA"}).callback_countries == ("US", "CA")
    with pytest.raises(SettingsError, match=r"CALLBACK_COUNTRIES \(.*\): entry 1 is no country"):
        OnCallSettings.from_environ({**GOOD, "CALLBACK_COUNTRIES": "UK"})
