"""Hours of duty."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.on_call.hours import DAYS, Hours

# 2026-11-23 is a Monday.
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def within(text: str, days_later: int, clock: str) -> bool:
    """Whether the time of day, `days_later` after that Monday, is within the hours."""
    hour, minute = clock.split(":")
    return Hours.parse(text).include(MONDAY + timedelta(days=days_later, hours=int(hour), minutes=int(minute)))


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [(0, "08:00", True), (0, "07:59", False), (4, "17:59", True), (4, "18:00", False), (5, "12:00", False)],
)
def test_office_hours(day: int, clock: str, expected: bool) -> None:
    """From the first minute to the one before the end, on the listed days."""
    assert within("Mon-Fri 08:00-18:00", day, clock) is expected


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        (4, "22:00", True),
        (4, "21:59", False),
        (5, "05:59", True),
        (5, "06:00", False),
        (5, "22:00", False),
        (4, "03:00", False),
    ],
)
def test_across_midnight(day: int, clock: str, expected: bool) -> None:
    """A night shift belongs to the day on which it begins."""
    assert within("Fri 22:00-06:00", day, clock) is expected


def test_across_the_week() -> None:
    """Sunday's night shift ends on Monday; a range of days may cross the week's end."""
    assert within("Sun 22:00-06:00", 0, "05:00")
    assert [within("Sat-Mon 10:00-11:00", day, "10:00") for day in range(7)] == [True, *[False] * 4, True, True]
    assert [within("Mon,Wed-Thu 10:00-11:00", day, "10:00") for day in range(7)] == [
        True,
        False,
        True,
        True,
        *[False] * 3,
    ]
    assert all(within("Mon-Sun 00:00-24:00", day, clock) for day in range(7) for clock in ("00:00", "23:59"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must be days and times, such as 'Mon-Fri 08:00-18:00'"),
        ("Mon-Fri 8-18", "must be days and times"),
        ("08:00-18:00", "must be days and times"),
        ("Mon 08:00-18:00, Tue 08:00-12:00", "must be days and times"),
        ("Mo 08:00-18:00", "'Mo' is no day; they are Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
        ("Mon- 08:00-18:00", "'' is no day"),
        ("Mon, 08:00-18:00", "'' is no day"),
        ("Mon-Tue-Wed 08:00-18:00", "'Tue-Wed' is no day"),
        ("mon 08:00-18:00", "'mon' is no day"),
        ("Mon 08:60-18:00", "08:60 is no time of a day"),
        ("Mon 08:00-24:01", "24:01 is no time of a day"),
        ("Mon 24:00-08:00", "begins at 24:00"),
        ("Mon 08:00-08:00", "begins and ends at the same time; a whole day is 00:00-24:00"),
    ],
)
def test_what_is_wrong(text: str, complaint: str) -> None:
    """The error says it, and what is allowed."""
    with pytest.raises(ValueError, match=complaint):
        Hours.parse(text)


minutes = st.integers(0, 24 * 60 - 1)
moments = st.integers(0, 6 * 366 * 24 * 60).map(lambda later: MONDAY + timedelta(minutes=later))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])


def clock(minute: int) -> str:
    """A minute of the day as it is written."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


@given(start=minutes, end=minutes, at=moments, zone=zones)
def test_day_and_night_are_one_whole(start: int, end: int, at: datetime, zone: str) -> None:
    """Of two complementary shifts exactly one is on duty at any time, also when the clocks change."""
    if start != end:
        local = at.astimezone(ZoneInfo(zone))
        day, night = (
            Hours.parse(f"Mon-Sun {clock(one)}-{clock(other)}") for one, other in ((start, end), (end, start))
        )
        assert day.include(local) != night.include(local)


@given(days=st.sets(st.sampled_from(DAYS), min_size=1), start=minutes, end=minutes, at=moments)
def test_each_day_by_itself(days: set[str], start: int, end: int, at: datetime) -> None:
    """Several days mean the same as each day alone, in any order."""
    if start != end:
        times = f"{clock(start)}-{clock(end)}"
        each = [Hours.parse(f"{day} {times}").include(at) for day in days]
        assert Hours.parse(f"{','.join(days)} {times}").include(at) == any(each)
