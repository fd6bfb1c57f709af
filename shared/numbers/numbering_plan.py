"""Which phone numbers exist, in which country, and of which kind they are, as the library phonenumbers knows.

This is the one place that imports it, which takes about 50 ms: whoever does not look at a number imports neither.
"""

import re
from dataclasses import dataclass
from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
    format_number,
    is_valid_number,
    number_type,
    parse,
    region_code_for_number,
)

# The kinds of numbers that people and companies are called at for the price of a call. A list of what is allowed, since
# kinds may be added: it leaves out premium rate, shared cost, personal numbers, pagers, voicemail and unknown kinds.
_ORDINARY: Final = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.UAN,  # a company's number for all its places, such as +44 3... and +41 58...
    }
)
# Codes of no country: satellites (+870, +881), international networks, freephone, shared cost and premium rate.
_NO_COUNTRY: Final = "001"

# The North American area code 555 was never assigned. It is the number of every example, demo and test here, and a call
# to it costs nothing because it reaches nobody. phonenumbers finds such a number possible and not valid.
_EXAMPLE: Final = re.compile(r"\+1555[0-9]{7}")
_EXAMPLE_COUNTRY: Final = "US"
# Canada's code for satellite phones and the like, which phonenumbers lists as VoIP.
_SATELLITE: Final = re.compile(r"\+1600[0-9]{7}")

_SEPARATORS: Final = re.compile(r"[\s().\-/\u2010-\u2015\u2212]")
_DIALLED: Final = re.compile(r"\+?[0-9]{4,20}")


class NoSuchNumber(ValueError):
    """A text is not a phone number that can exist."""


@dataclass(frozen=True)
class PlanNumber:
    """A number that can exist. `country` is None for one of no country; `ordinary`: a call has no special price."""

    e164: str
    country: str | None
    ordinary: bool


def read(text: str, country: str | None = None) -> PlanNumber:
    """The number in a text as people say and write it: with spaces or dashes, `00`, or without a country code.

    Args:
        country: where a number without a country code belongs; without it such a number is none.

    Raises:
        NoSuchNumber: for anything else, such as an extension, a letter, a link, or a digit that is not ASCII.
    """
    dialled = _SEPARATORS.sub("", text)
    if not _DIALLED.fullmatch(dialled):
        raise NoSuchNumber("it is not a phone number")
    if dialled.startswith("00"):
        dialled = f"+{dialled[2:]}"
    try:
        number = parse(dialled, country)
    except NumberParseException:
        raise NoSuchNumber("it is not a phone number") from None
    e164 = format_number(number, PhoneNumberFormat.E164)
    if _EXAMPLE.fullmatch(e164):
        return PlanNumber(e164, _EXAMPLE_COUNTRY, ordinary=True)
    if not is_valid_number(number):
        raise NoSuchNumber("there is no such number")
    found = region_code_for_number(number)
    ordinary = number_type(number) in _ORDINARY and not _SATELLITE.fullmatch(e164)
    return PlanNumber(e164, None if found == _NO_COUNTRY else found, ordinary)


def country_of(number: str) -> str | None:
    """The country of a number with its country code; None for a SIP address and whatever else tells none."""
    try:
        return read(number).country
    except NoSuchNumber:
        return None
