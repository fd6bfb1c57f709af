"""Phone numbers as Twilio writes them: E.164, or a placeholder if the caller withheld theirs."""

import re
from typing import Annotated

from pydantic import AfterValidator

from shared.text.plain import plain

ANONYMOUS = "anonymous"

# Twilio's values of `From` for a caller without a number: words, or the same words in the digits of a phone's keys
# (266696687 spells ANONYMOUS, 7378742833 RESTRICTED, 2562533 BLOCKED, 8656696 UNKNOWN, 86282452253 UNAVAILABLE).
WITHHELD = {
    "",
    ANONYMOUS,
    "restricted",
    "blocked",
    "unknown",
    "unavailable",
    "private",
    "+266696687",
    "+7378742833",
    "+2562533",
    "+8656696",
    "+86282452253",
}

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_e164(text: str) -> bool:
    """Whether the text is a phone number in E.164."""
    return _E164.fullmatch(text) is not None


def _e164(value: str) -> str:
    if not is_e164(value):
        raise ValueError("must be a phone number with its country code, such as +15551234567")
    return value


E164 = Annotated[str, AfterValidator(_e164)]


def called_number(text: str) -> str:
    """A called number in E.164, however Twilio or a SIP trunk writes it: `+1 555 123-4567`, `sip:+15551234567@host`.

    Other text stays nearly as it is, and equals no number.
    """
    user = re.sub(r"^(sips?|tel):|[@;].*$", "", text.strip(), flags=re.IGNORECASE)
    digits = re.sub(r"[\s().-]", "", user)
    return f"+{digits}" if digits.isdigit() else digits


def readable(number: str) -> str:
    """The number or SIP address without line breaks, invisible characters and characters that XML forbids."""
    return plain(number).replace("\n", "").strip()


def caller_name(number: str) -> str:
    """The caller's number or SIP address, or `anonymous` if they withheld it."""
    name = readable(number)
    return ANONYMOUS if name.lower() in WITHHELD else name


def mask(number: str) -> str:
    """The number as a log may show it: `+15551234567` becomes `+1********67`. Short numbers are hidden completely."""
    if number in ("", ANONYMOUS):
        return number
    if len(number) < 8:
        return "*" * len(number)
    return number[:2] + "*" * (len(number) - 4) + number[-2:]


def mask_all(text: str) -> str:
    """The text with every E.164 number in it masked, for text from other programs."""
    return _E164.sub(lambda match: mask(match[0]), text)
