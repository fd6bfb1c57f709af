"""The settings of the two functions that deal with people on call: alerts and desk."""

import re
from functools import cache
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from shared.escalations.callback_numbers import CallbackRules
from shared.numbers.countries import Countries
from shared.numbers.phone_numbers import E164, is_e164
from shared.on_call.roster import Roster
from shared.settings import ApiUrl, HttpsUrl, Listed, Settings


def _once_each(numbers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(numbers))


def _sender(value: str) -> str:
    if not (is_e164(value) or re.fullmatch(r"MG[0-9a-f]{32}", value)):
        raise ValueError("must be a phone number such as +15551234567, or MG and 32 hexadecimal digits")
    return value


class OnCallSettings(Settings):
    """What the alerts function and the desk read from their environment. It names the people if there is no roster."""

    twilio_account_sid: str = Field(description="the Twilio account's sid")
    twilio_auth_token: SecretStr = Field(description="the Twilio account's auth token, which signs its requests")
    twilio_api_url: ApiUrl | None = Field(default=None, description="where Twilio's REST API is, unless at Twilio")
    public_url: HttpsUrl = Field(description="the HTTP API's base URL as people and Twilio are given it")
    signing_key: SecretStr = Field(description="the secret that signs the links to the desk")
    reminder_queue_url: str = Field(description="the SQS queue of reminders, each of which has an escalation checked")
    on_call_numbers: Annotated[tuple[E164, ...], Listed, AfterValidator(_once_each)] = Field(
        default=(), description="who gets an SMS where no roster was written: phone numbers separated by commas"
    )
    alert_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        default=None, description="whom the SMS come from: a number of the Twilio account, or a messaging service"
    )
    alert_topic_arn: str | None = Field(default=None, description="an SNS topic that gets each alert too")
    callback_countries: Countries = Field(
        default=(),
        description="countries of numbers that callers may ask to be called back at, such as US,CA",
    )

    def callback_rules(self, roster: Roster) -> CallbackRules:
        """The rules for callback numbers, which exclude the service's own and those of people on call."""
        return CallbackRules(self.callback_countries).and_ours(self.alert_from, *roster.phones)

    def caller_id_for(self, called: str) -> str:
        """The number to call people from: `alert_from` if that is a phone number, else the number called."""
        return self.alert_from if self.alert_from and is_e164(self.alert_from) else called

    @model_validator(mode="after")
    def _somebody_sends(self) -> Self:
        if self.on_call_numbers and not self.alert_from:
            raise ValueError("ALERT_FROM is not set, and without it nobody in ON_CALL_NUMBERS can get an SMS")
        return self


@cache
def settings() -> OnCallSettings:
    """The settings of this process, read when first needed. A failure is not cached."""
    return OnCallSettings.from_environ()
