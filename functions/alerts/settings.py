"""The alerts function's settings: who is on call, and by what ways they are reached."""

import re
from functools import cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from shared.phone_numbers import E164
from shared.settings import ApiUrl, Settings


def _listed(value: Any) -> Any:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _once_each(numbers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(numbers))


def _sender(value: str) -> str:
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}|MG[0-9a-f]{32}", value):
        raise ValueError("must be a phone number such as +15551234567, or MG and 32 hexadecimal digits")
    return value


class AlertsSettings(Settings):
    """What the alerts function reads from its environment. At least one way to reach somebody has to be there."""

    twilio_account_sid: str = Field(description="the Twilio account's sid")
    twilio_auth_token: SecretStr = Field(description="the Twilio account's auth token")
    twilio_api_url: ApiUrl | None = Field(default=None, description="where Twilio's REST API is, unless at Twilio")
    on_call_numbers: Annotated[tuple[E164, ...], BeforeValidator(_listed), AfterValidator(_once_each)] = Field(
        default=(), description="who gets an SMS: phone numbers separated by commas"
    )
    alert_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        default=None, description="whom the SMS come from: a number of the Twilio account, or a messaging service"
    )
    alert_topic_arn: str | None = Field(default=None, description="an SNS topic that gets each alert too")

    @model_validator(mode="after")
    def _somebody_can_be_reached(self) -> Self:
        if self.on_call_numbers and not self.alert_from:
            raise ValueError("ALERT_FROM is not set, and without it nobody in ON_CALL_NUMBERS can get an SMS")
        if not self.on_call_numbers and not self.alert_topic_arn:
            raise ValueError("neither ON_CALL_NUMBERS nor ALERT_TOPIC_ARN is set, so nobody can be alerted")
        return self


@cache
def settings() -> AlertsSettings:
    """The settings of this process, read when first needed. A failure is not remembered."""
    return AlertsSettings.from_environ()
