"""Times and numbers in words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from functions.desk.formatting import clock, digit_by_digit, grouped, reason_in_words, spell_out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 seconds"),
        (0.9, "0 seconds"),
        (1, "1 second"),
        (61, "1 minute 1 second"),
        (120, "2 minutes"),
        (3660, "1 hour 1 minute"),
        (3601, "1 hour"),
        (2 * 86400 + 3600 * 5 + 59, "2 days 5 hours"),
    ],
)
def test_a_length_of_time(seconds: float, words: str) -> None:
    """In its two largest units."""
    assert spell_out(seconds) == words


def test_a_moment() -> None:
    """In the reader's time zone, with the day if it is not today."""
    now = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    assert clock(datetime(2026, 11, 22, 22, 59, tzinfo=UTC), None, now) == "22:59 UTC"
    assert clock(datetime(2026, 11, 22, 23, 5, tzinfo=UTC), berlin, now) == "00:05"
    assert clock(datetime(2026, 11, 22, 22, 59, tzinfo=UTC), berlin, now) == "23:59 on Sunday"


def test_numbers() -> None:
    """Grouped if they start with +1, and spoken digit by digit."""
    assert grouped("+15551234567") == "+1 555 123 4567"
    assert grouped("+4930123456") == "+4930123456"
    assert grouped("sip:a@example.com") == "sip:a@example.com"
    assert digit_by_digit("+1555") == "1 5 5 5"


def test_a_reason() -> None:
    """As text, not as an identifier."""
    assert reason_in_words("billing_question") == "Billing question"
    assert reason_in_words("VIP  guest") == "VIP guest"
