"""The voice function's settings."""

from functools import cache

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.settings import HttpsUrl, Settings, WssUrl


class Announcements(BaseModel):
    """What Twilio speaks itself, without the agent. All of it can be set, for example in another language."""

    model_config = ConfigDict(frozen=True)

    language: str = Field(default="en-US", description="the language that Twilio speaks, such as en-US")
    voice: str | None = Field(default=None, description="the voice that Twilio speaks with, such as Polly.Amy-Neural")
    # 1,000 characters take a minute to say. The stream's token, signed before, is valid for two.
    greeting: str | None = Field(default=None, max_length=1000, description="spoken before the agent is connected")
    goodbye: str = Field(default="Goodbye.", description="spoken after a call that ended as it should")
    hold_message: str = Field(
        default="One moment, please.", description="spoken when a call that broke off has to wait for a worker"
    )
    apology_callback: str = Field(
        default="I'm sorry, something went wrong on our side. Somebody has been told and will call you back. Goodbye.",
        description="spoken after a call that broke off, when people are being alerted",
    )
    apology_retry: str = Field(
        default="I'm sorry, something went wrong on our side. Please call again a little later. Goodbye.",
        description="spoken after a call that broke off, when nobody could be told or the caller has no number",
    )


class VoiceSettings(Settings, Announcements):
    """What the voice function reads from its environment."""

    twilio_auth_token: SecretStr = Field(description="the Twilio account's auth token, which signs its requests")
    public_url: HttpsUrl = Field(description="the HTTP API's base URL as Twilio was given it, a stage included")
    stream_url: WssUrl = Field(description="the worker's public socket, such as wss://host/media-stream")
    signing_key: SecretStr = Field(description="the secret that signs stream tokens; the worker has the same")
    escalation_queue_url: str = Field(description="the SQS queue of escalations")
    max_resumes: int = Field(default=3, ge=0, description="how often a call may be connected to a worker again")


@cache
def settings() -> VoiceSettings:
    """The settings of this process, read at the first request, not at import. A failure is not cached."""
    return VoiceSettings.from_environ()
