"""Hours of duty, such as `Mon-Fri 08:00-18:00`, in a person's local time."""

import re
from dataclasses import dataclass
from datetime import datetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUTES_OF_A_DAY = 24 * 60
ALLOWED = "must be days and times, such as 'Mon-Fri 08:00-18:00', 'Sat,Sun 10:00-24:00' or 'Fri 22:00-06:00'"

_HOURS = re.compile(r"([A-Za-z,-]+) +(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True)
class Hours:
    """Days of the week (Monday is 0), with the minutes of the day at which duty starts and ends.

    If `end` is before `start`, duty ends on the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """The hours in a text; raises ValueError, which says what is wrong and what is allowed."""
        found = _HOURS.fullmatch(text.strip())
        if not found:
            raise ValueError(ALLOWED)
        start, end = _minutes(found[2], found[3]), _minutes(found[4], found[5])
        if start == end:
            raise ValueError("begins and ends at the same time; a whole day is 00:00-24:00")
        if start == MINUTES_OF_A_DAY:
            raise ValueError("begins at 24:00, which is 00:00 of the next day")
        return cls(_days(found[1]), start, end)

    def include(self, local: datetime) -> bool:
        """Whether a local time is within the hours. The minute at which they end is not."""
        minute = local.hour * 60 + local.minute
        today, yesterday = local.weekday(), (local.weekday() - 1) % 7
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)


def _minutes(hour: str, minute: str) -> int:
    minutes = int(hour) * 60 + int(minute)
    if int(minute) > 59 or minutes > MINUTES_OF_A_DAY:
        raise ValueError(f"{hour}:{minute} is no time of a day; they go from 00:00 to 24:00")
    return minutes


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = _day(first), _day(last if dash else first)
        days |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return frozenset(days)


def _day(name: str) -> int:
    if name not in DAYS:
        raise ValueError(f"'{name}' is no day; they are {', '.join(DAYS)}")
    return DAYS.index(name)
