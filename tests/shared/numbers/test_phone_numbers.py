"""Phone numbers: who calls, and what a log may show."""

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.numbers.phone_numbers import E164, called_number, caller_name, is_e164, mask, mask_all


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("+15551234567", "+15551234567"),
        ("sip:alice@example.com", "sip:alice@example.com"),
        ("", "anonymous"),
        ("  ", "anonymous"),
        ("Anonymous", "anonymous"),
        ("+266696687", "anonymous"),
        ("+7378742833", "anonymous"),
        ("+2562533", "anonymous"),
        ("+8656696", "anonymous"),
        ("+86282452253", "anonymous"),
        ("Restricted", "anonymous"),
        ("sip:a\x00\nb", "sip:ab"),
        ("sip:\u202ea\ufffe\ud800\u3164b", "sip:ab"),
    ],
)
def test_caller_name(number: str, name: str) -> None:
    """A withheld number is `anonymous`, however Twilio writes it; characters that XML forbids are removed."""
    assert caller_name(number) == name


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+15551234567", "+1********67"),
        ("+4915112345678", "+4**********78"),
        ("+1555123", "+1****23"),
        ("12345", "*****"),
        ("", ""),
        ("anonymous", "anonymous"),
    ],
)
def test_mask(number: str, masked: str) -> None:
    """The middle is hidden; a short number is hidden completely."""
    assert mask(number) == masked


def test_mask_all() -> None:
    """Numbers inside of sentences are masked; times and short figures are not."""
    assert mask_all("'To' +15551234567, 'From' +4915112345678.") == "'To' +1********67, 'From' +4**********78."
    assert mask_all("2026-11-22T10:00:00+00:00, +0000, 1e+10, 3+1234567") == (
        "2026-11-22T10:00:00+00:00, +0000, 1e+10, 3+1****67"
    )


@pytest.mark.parametrize("number", ["5551234567", "+0551234567", "+1555123456789012", "+1 555 123 4567", "+1555", ""])
def test_not_e164(number: str) -> None:
    """A number without its country code is refused, because Twilio would guess the country."""
    assert not is_e164(number)
    with pytest.raises(ValidationError, match=r"such as \+15551234567"):
        TypeAdapter(E164).validate_python(number)


@pytest.mark.parametrize(
    ("called", "number"),
    [
        ("+12025550143", "+12025550143"),
        ("+1 (202) 555-0143", "+12025550143"),
        ("12025550143", "+12025550143"),
        ("sip:+442079460000@trunk.example;x=1", "+442079460000"),
        ("SIPS:442079460000@trunk.example", "+442079460000"),
        ("tel:+442079460000", "+442079460000"),
        ("", ""),
        ("anonymous", "anonymous"),
        ("sip:alice@example.com", "alice"),
    ],
)
def test_called_number(called: str, number: str) -> None:
    """The same number, however Twilio or a SIP trunk writes it; other text equals no number."""
    assert called_number(called) == number
