"""The desk's settings."""

from functools import cache

from pydantic import Field, SecretStr

from shared.on_call.settings import OnCallSettings
from shared.settings import ApiUrl, HttpsUrl


class DeskSettings(OnCallSettings):
    """What the desk reads from its environment."""

    twilio_account_sid: str = Field(description="the Twilio account's sid")
    twilio_auth_token: SecretStr = Field(description="the Twilio account's auth token, which signs its requests")
    twilio_api_url: ApiUrl | None = Field(default=None, description="where Twilio's REST API is, unless at Twilio")
    public_url: HttpsUrl = Field(description="the HTTP API's base URL as people and Twilio are given it")
    signing_key: SecretStr = Field(description="the secret that signs the links; the alerts function has the same")
    reminder_queue_url: str = Field(description="the SQS queue of reminders, each of which has an escalation checked")


@cache
def settings() -> DeskSettings:
    """The settings of this process, read at the first request, not at import. A failure is not cached."""
    return DeskSettings.from_environ()
