"""Times, urgency and numbers in words, short enough for a person who has just been woken up."""

import re
from datetime import UTC, datetime, tzinfo

from shared.escalations.callback_numbers import ToCall
from shared.escalations.request import Urgency
from shared.numbers.phone_numbers import ANONYMOUS, is_e164
from shared.text.quoted import said

URGENCIES: dict[Urgency, str] = {"high": "Urgent", "normal": "Normal urgency", "low": "Not urgent"}

UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def spell_out(seconds: float) -> str:
    """A duration in its two largest units: `40 seconds`, `2 minutes 5 seconds`, `1 hour 3 minutes`."""
    rest = max(int(seconds), 0)
    counts = []
    for unit, size in UNITS:
        counts.append((rest // size, unit))
        rest %= size
    largest = next((index for index, (count, _) in enumerate(counts) if count), len(counts) - 1)
    said = [_counted(count, unit) for count, unit in counts[largest : largest + 2] if count]
    return " ".join(said) or _counted(0, "second")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def clock(moment: datetime, zone: tzinfo | None, now: datetime) -> str:
    """A time in a time zone: `10:42`, or `10:42 on Monday` if that is not today; `08:42 UTC` without a time zone."""
    local = moment.astimezone(zone or UTC)
    today = local.date() == now.astimezone(zone or UTC).date()
    return f"{local:%H:%M}{'' if zone else ' UTC'}{'' if today else f' on {local:%A}'}"


def grouped(number: str) -> str:
    """A number in groups: `+1 555 123 4567`. Only numbers that start with +1 are grouped."""
    found = re.fullmatch(r"(\+1)(\d{3})(\d{3})(\d{4})", number)
    return " ".join(found.groups()) if found else number


def reason_in_words(reason: str) -> str:
    """A reason such as `billing_question` as text (`Billing question`), without links."""
    words = said(reason.replace("_", " "))
    return words[:1].upper() + words[1:]


def caller_in_words(caller: str) -> str:
    """The caller, to be read: their number, or an address without anything that a phone would make a link."""
    if caller in ("", ANONYMOUS):
        return "Number withheld"
    return grouped(caller) if is_e164(caller) else said(caller)


def spoken_caller(to_call: ToCall, *, gone: bool) -> str:
    """The caller and the number to call, to be spoken; `gone`: they have hung up."""
    where = "has called and waits to be called back" if gone else "is on the line"
    if to_call.number is None:
        return f"Somebody without a number to call {'has called' if gone else where}."
    if not to_call.elsewhere:
        return f"{digit_by_digit(to_call.number)} {where}."
    return f"A caller {where}. The number to call is {spoken_number(to_call)}."


def spoken_number(to_call: ToCall) -> str:
    """The number to call, to be spoken; says so if it is not the number that the caller called from."""
    number = digit_by_digit(to_call.number or "")
    if not to_call.elsewhere:
        return number
    if to_call.caller is None:
        return f"{number}, which is not the number that they called from"
    return f"{number}. They called from {digit_by_digit(to_call.caller)}"


def digit_by_digit(number: str) -> str:
    """A phone number to be spoken: its digits with spaces between them."""
    return " ".join(number.removeprefix("+"))
