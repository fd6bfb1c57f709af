"""Whether a phone number can exist, its country and its kind, according to the library phonenumbers.

Only this module imports the library, which takes about 50 ms. Import this module only where a number is read.
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

# The kinds of numbers that cost no more than an ordinary call. An allowlist, since the library may add kinds: it leaves
# out premium rate, shared cost, personal numbers, pagers, voicemail and unknown kinds.
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
# The library's region for codes of no country: satellites (+870, +881), international networks, freephone, shared cost
# and premium rate.
_NO_COUNTRY: Final = "001"

# The North American area code 555 was never assigned. All examples, demos and tests here use it, and a call to it costs
# nothing because it reaches nobody. phonenumbers says that such a number is possible but not valid.
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
    """A number that can exist. `country` is None for codes of no country; `ordinary`: a call has no special price."""

    e164: str
    country: str | None
    ordinary: bool


def read(text: str, country: str | None = None) -> PlanNumber:
    """Parses a number as people say and write it: with spaces or dashes, `00`, or without a country code.

    Args:
        country: the country of a number without a country code; if None, such a number is refused.

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
    """The country of a number with a country code; None for anything else, such as a SIP address."""
    try:
        return read(number).country
    except NoSuchNumber:
        return None
