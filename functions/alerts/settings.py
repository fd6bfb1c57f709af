"""The alerts function's settings."""

from functools import cache

from pydantic import Field, SecretStr

from shared.on_call.settings import OnCallSettings
from shared.settings import ApiUrl, HttpsUrl


class AlertsSettings(OnCallSettings):
    """What the alerts function reads from its environment."""

    public_url: HttpsUrl = Field(description="https base of the HTTP API as Twilio was given it; alerts link to it")
    signing_key: SecretStr = Field(description="the secret that the links to the desk are signed with")
    reminder_queue_url: str = Field(description="the SQS queue of reminders, each of which has an escalation checked")
    twilio_account_sid: str = Field(description="the Twilio account's sid")
    twilio_auth_token: SecretStr = Field(description="the Twilio account's auth token")
    twilio_api_url: ApiUrl | None = Field(default=None, description="where Twilio's REST API is, unless at Twilio")


@cache
def settings() -> AlertsSettings:
    """The settings of this process, read when first needed. A failure is not cached."""
    return AlertsSettings.from_environ()
