"""Decides which number a caller is called back at, for all parts that dial, speak or show it.

A caller may state a number, and the network reports the one that they call from. Neither can be trusted: a number may
be premium rate, with a share for its owner, or one of our own, which would then call itself.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from shared.escalations.request import Escalation
from shared.numbers.phone_numbers import is_e164

NOT_A_NUMBER = "it is not a complete phone number"
NOT_ORDINARY = "it belongs to a range that is not called, such as premium rate or satellite"
OURS = "it is one of our own numbers"
OUR_COUNTRIES = "it is not in a country that is called; those are {}"
NO_COUNTRY = "it cannot be told which countries are called"


class NumberRefused(ValueError):
    """A number must not be called back. The message gives the reason, never the number."""


@dataclass(frozen=True)
class ToCall:
    """Whom a person calls back: `number`, in E.164, or None if no number may be called.

    `caller` is the number that the caller called from, or None if that must not be called.
    """

    number: str | None
    caller: str | None

    @property
    def elsewhere(self) -> bool:
        """Whether `number` differs from the one that the caller called from."""
        return self.number is not None and self.number != self.caller


@dataclass(frozen=True)
class CallbackRules:
    """Which numbers may be called back.

    Args:
        countries: countries of stated numbers, such as `US`. Empty: the called number's country, or the caller's if the
            called number has none.
        ours: numbers of the service and of people on call, which are never called back.
    """

    countries: tuple[str, ...] = ()
    ours: frozenset[str] = frozenset()

    def and_ours(self, *numbers: str | None) -> Self:
        """These rules with more of our own numbers; None and "" are skipped."""
        return type(self)(self.countries, self.ours | {number for number in numbers if number})

    def to_call(self, escalation: Escalation) -> ToCall:
        """Whom to call about an escalation: the number that the caller stated, else the one that they called from."""
        caller = self.told(escalation.caller, escalation.called)
        if not escalation.callback_number:
            return ToCall(caller, caller)
        try:
            stated = self.stated(escalation.callback_number, escalation.caller, escalation.called)
        except NumberRefused:
            return ToCall(caller, caller)
        return ToCall(stated, caller)

    def told(self, caller: str, called: str) -> str | None:
        """The caller's number as the network reports it, of any country; None if it must not be called back."""
        if not is_e164(caller):  # a SIP address, or withheld
            return None
        try:
            return self._ordinary(caller, None, called)[0]
        except NumberRefused:
            return None

    def stated(self, number: str, caller: str, called: str) -> str:
        """The number that a caller said, in E.164.

        Raises:
            NumberRefused: when it must not be called back.
        """
        from shared.numbers.numbering_plan import country_of

        at_home = country_of(_without_trunk(called)) or country_of(caller)
        e164, country = self._ordinary(number, at_home, called)
        if is_e164(caller) and e164 == self.told(caller, called):
            return e164
        allowed = self.countries or ((at_home,) if at_home else ())
        if country not in allowed:
            raise NumberRefused(OUR_COUNTRIES.format(", ".join(allowed)) if allowed else NO_COUNTRY)
        return e164

    def _ordinary(self, number: str, country: str | None, called: str) -> tuple[str, str]:
        # Imported here because it is slow: most importers of this module never read a number, and cold starts count.
        from shared.numbers.numbering_plan import NoSuchNumber, read

        try:
            found = read(number, country)
        except NoSuchNumber:
            raise NumberRefused(NOT_A_NUMBER) from None
        if found.country is None or not found.ordinary:
            raise NumberRefused(NOT_ORDINARY)
        if found.e164 in {_normalised(ours) for ours in self.ours | {called}}:
            raise NumberRefused(OURS)
        return found.e164, found.country


# A called number as a SIP trunk reports it: `sip:+15551234567@example.com`.
_TRUNK = re.compile(r"sips?:(\+[0-9]+)[;@].*", re.IGNORECASE)

# Neither countries nor our own numbers are set: all other rules apply.
NO_LISTS = CallbackRules()


@lru_cache(maxsize=1024)
def _normalised(number: str) -> str:
    """One of our numbers in E.164; text that `read` cannot parse, such as a messaging service, stays as it is."""
    from shared.numbers.numbering_plan import NoSuchNumber, read

    try:
        return read(_without_trunk(number)).e164
    except NoSuchNumber:
        return number


def _without_trunk(number: str) -> str:
    found = _TRUNK.fullmatch(number)
    return found[1] if found else number
