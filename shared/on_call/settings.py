"""The settings of a part that alerts people on call."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from shared.escalations.callback_numbers import CallbackRules
from shared.numbers.countries import Countries
from shared.numbers.phone_numbers import E164, is_e164
from shared.on_call.roster import Roster
from shared.settings import Listed, Settings


def _once_each(numbers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(numbers))


def _sender(value: str) -> str:
    if not (is_e164(value) or re.fullmatch(r"MG[0-9a-f]{32}", value)):
        raise ValueError("must be a phone number such as +15551234567, or MG and 32 hexadecimal digits")
    return value


class OnCallSettings(Settings):
    """The settings of a part that alerts people on call. They name the people if the table has no roster."""

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
