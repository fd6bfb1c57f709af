"""The people on call in the take-over tests, and how they pick up their phones.

A person with their own language is alerted only for callers in that language, so that many calls can run at once.
"""

from dataclasses import dataclass

from local.audio.pitch import say
from local.twilio import Answers
from local.twilio.person import Act, HangUp, Hear, Meet, Press, Reaction, Say

FRENCH_NUMBER = "+15550100201"  # agents/french.toml
WORDS = say(640)


@dataclass(frozen=True)
class OnCall:
    """A person on call; `way` is the channel of their alerts, `tier` their tier in the escalation policy."""

    name: str
    phone: str
    language: str = "en"
    way: str = "sms"
    tier: int = 1

    @property
    def id(self) -> str:
        """The person's id in the roster."""
        return self.name.lower()


ANA = OnCall("Ana", "+15550100501")
BEN = OnCall("Ben", "+15550100502")
CLEO = OnCall("Cleo", "+15550100503")
DAN = OnCall("Dan", "+15550100504")
EVA = OnCall("Eva", "+15550100505")
ZOE = OnCall("Zoe", "+15550100506", tier=2)
PAUL = OnCall("Paul", "+15550100507", "fr", "phone")
RITA = OnCall("Rita", "+15550100508", "it", "phone")
TOM = OnCall("Tom", "+15550100509", "it", "phone", tier=2)
VERA = OnCall("Vera", "+15550100510", "nl", "phone")
WIM = OnCall("Wim", "+15550100511", "nl", "phone", tier=2)
FINN = OnCall("Finn", "+15550100512", "es", "phone")
GIL = OnCall("Gil", "+15550100513", "es")
JOAO = OnCall("Joao", "+15550100514", "pt", "phone")
LIA = OnCall("Lia", "+15550100515", "pt", tier=2)

EVERYBODY = (ANA, BEN, CLEO, DAN, EVA, ZOE, PAUL, RITA, TOM, VERA, WIM, FINN, GIL, JOAO, LIA)


class NobodyHome:
    """A phone that is not answered; its network ends the ringing soon."""

    def rings(self) -> Reaction:
        """It rings, then gives up."""
        return Reaction(1_500, status="no-answer")


def roster() -> str:
    """The roster file with all these people."""
    tiers = [[one.id for one in EVERYBODY if one.tier == tier] for tier in (1, 2)]
    lines = [f"[[tiers]]\naccept_within_s = 300\npeople = {people}" for people in tiers]
    for one in EVERYBODY:
        lines.append(f'[people.{one.id}]\nname = "{one.name}"\nphone = "{one.phone}"')
        lines.append(f'channels = ["{one.way}"]\nlanguages = ["{one.language}"]')
    return "\n".join(lines)


def takes(*then: Act) -> Answers:
    """A phone whose owner hears the summary and presses 1."""
    return Answers(Hear(), Press("1"), *then, after_ms=500)


def talks(*then: Act) -> Answers:
    """A phone whose owner takes the call and speaks to the caller."""
    return takes(Meet(), Say(WORDS), *then)


def called_back() -> Answers:
    """The phone of a caller who answers the callback and soon hangs up."""
    return Answers(Meet(), Say(WORDS), HangUp(), after_ms=500)
