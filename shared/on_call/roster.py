"""The roster: who is on call, in which tiers, when, in which languages and by which channels.

It is TOML (docs/on-call.md) and may be changed without a deployment, so mistakes must be found when it is written: each
is reported with its key and what is allowed there.
"""

import re
import tomllib
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shared.numbers.phone_numbers import E164
from shared.on_call.hours import Hours
from shared.text.plain import ONE_LINE

ChannelName = Literal["sms", "phone", "sns"]

# ISO 639-1. A person with a mistyped language would never get the calls in it.
ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo "
    "es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka "
    "kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng "
    "nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st "
    "su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
LANGUAGES = frozenset(ISO_639_1.split())
# The id is part of every link that the person gets.
PERSON_ID = r"^[a-z0-9][a-z0-9_-]{0,31}$"
TOPIC_ARN = r"^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+$"

# If no tier can be reached, one function run goes through all of them within its few seconds.
MOST_TIERS = 5

# With one tier, reached by SMS, people get more time to find their phones: nobody else would be alerted instead.
ONLY_TIER_S = 300

THE_TOPIC = "alert-topic"
SOMEBODY = "the person on call"


class RosterError(ValueError):
    """A roster cannot be used. The message has a line for each mistake, with its key and what is allowed."""


def _language(value: str) -> str:
    if value not in LANGUAGES and not re.fullmatch(r"[a-z]{3}", value):
        raise ValueError(f"'{value}' is no language; write its code of ISO 639 in small letters, such as en or es")
    return value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # raised for an unknown name, a path, and a folder
        raise ValueError(f"'{name}' is no time zone; write one such as Europe/Berlin or America/New_York") from None
    return name


def _hours(value: Any) -> Any:
    return Hours.parse(value) if isinstance(value, str) else value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"has {', '.join(twice)} more than once")
    return values


_STRICT = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Person(BaseModel):
    """Somebody who can be on call. `hours` are local times of `time_zone`; without any, they are always on duty."""

    model_config = _STRICT

    id: str = Field(pattern=PERSON_ID)
    name: Annotated[str, Field(min_length=1, max_length=60), ONE_LINE]
    phone: E164 | None = None
    channels: Annotated[tuple[ChannelName, ...], Field(min_length=1), AfterValidator(_each_once)] = ("sms",)
    topic_arn: str | None = Field(default=None, pattern=TOPIC_ARN)
    languages: tuple[Annotated[str, AfterValidator(_language)], ...] = ()
    hours: tuple[Annotated[Hours, BeforeValidator(_hours)], ...] = ()
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.phone is None and not set(self.channels).isdisjoint({"sms", "phone"}):
            raise ValueError("has no phone, which the channels sms and phone need")
        if self.topic_arn is None and "sns" in self.channels:
            raise ValueError("has no topic_arn, which the channel sns needs")
        if self.hours and self.time_zone is None:
            raise ValueError("has hours and no time_zone, such as Europe/Berlin")
        return self

    def on_duty(self, at: datetime) -> bool:
        """Whether this person is on duty at a time."""
        if not self.hours:
            return True
        local = at.astimezone(ZoneInfo(self.time_zone or "UTC"))
        return any(hours.include(local) for hours in self.hours)

    def speaks(self, language: str) -> bool:
        """Whether this person speaks a language, such as `en` or `en-US`; somebody without languages speaks any."""
        return not self.languages or re.split("[-_]", language)[0].lower() in self.languages


class Tier(BaseModel):
    """People who are alerted together, and the time that they have to accept before the next tier is alerted."""

    model_config = _STRICT

    people: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_each_once)]
    accept_within_s: int = Field(default=60, ge=15, le=900)


class Roster(BaseModel):
    """The whole roster. With `handover` "warm", a person hears the summary before the caller joins."""

    model_config = _STRICT

    handover: Literal["warm", "cold"] = "warm"
    tiers: tuple[Tier, ...]
    people: dict[str, Person]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The roster in a TOML text.

        Raises:
            RosterError: with every mistake, not only the first.
        """
        try:
            written = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RosterError(f"This is not TOML: {error}.") from None
        people = written.get("people")
        if isinstance(people, dict):
            written["people"] = {
                key: {"id": key, **one} if isinstance(one, dict) else one for key, one in people.items()
            }
        try:
            return cls.model_validate(written)
        except ValidationError as error:
            complaints = [_complaint(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise RosterError("\n".join(complaints))

    @classmethod
    def of_settings(cls, numbers: Iterable[str], topic_arn: str | None) -> Self | None:
        """The roster from the settings, if none is in the table: one tier, by SMS. None if the settings name nobody."""
        people = [Person(id=f"on-call-{n}", name=SOMEBODY, phone=number) for n, number in enumerate(numbers, 1)]
        if topic_arn:
            people.append(_topic(topic_arn))
        if not people:
            return None
        tier = Tier(people=tuple(person.id for person in people), accept_within_s=ONLY_TIER_S)
        return cls(tiers=(tier,), people={person.id: person for person in people})

    def with_topic(self, topic_arn: str) -> Self:
        """This roster with an SNS topic that gets all alerts as one more person of the first tier."""
        first, *others = self.tiers
        with_topic = first.model_copy(update={"people": (*first.people, THE_TOPIC)})
        people = {**self.people, THE_TOPIC: _topic(topic_arn)}
        return self.model_copy(update={"tiers": (with_topic, *others), "people": people})

    def person(self, identifier: str) -> Person | None:
        """The person with this id; None if they are not on the roster."""
        return self.people.get(identifier)

    @property
    def phones(self) -> tuple[str, ...]:
        """The phone numbers of everybody on the roster, on duty or not."""
        return tuple(person.phone for person in self.people.values() if person.phone)

    def on_duty(self, tier: int, language: str, at: datetime) -> list[Person]:
        """The people of a tier (from 1) to alert: those on duty who speak the language, or else all on duty."""
        on_duty = [self.people[one] for one in self.tiers[tier - 1].people if self.people[one].on_duty(at)]
        return [person for person in on_duty if person.speaks(language)] or on_duty

    def everybody(self, at: datetime) -> list[Person]:
        """The people on duty in any tier."""
        listed = dict.fromkeys(one for tier in self.tiers for one in tier.people)
        return [self.people[one] for one in listed if self.people[one].on_duty(at)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.tiers:
            raise ValueError("tiers: there has to be one at least")
        if len(self.tiers) > MOST_TIERS:
            raise ValueError(f"tiers: there may be {MOST_TIERS} at most")
        for number, tier in enumerate(self.tiers, 1):
            if unknown := [one for one in tier.people if one not in self.people]:
                known = ", ".join(self.people) or "nobody"
                raise ValueError(f"[[tiers]] number {number}, people: {', '.join(unknown)} not among [people]: {known}")
        by_phone: dict[str, str] = {}
        for one, person in self.people.items():
            if person.id != one:
                raise ValueError(f"[people.{one}] id: is not known here, because the heading is the id")
            if person.phone and (other := by_phone.setdefault(person.phone, one)) != one:
                raise ValueError(f"[people.{one}] phone: is the phone of [people.{other}] too")
        return self


def _topic(arn: str) -> Person:
    # Subscribers see the page and may mark the escalation as dealt with. Their phones are unknown and cannot be called.
    return Person(id=THE_TOPIC, name=SOMEBODY, channels=("sns",), topic_arn=arn)


_PARTS: dict[str, type[BaseModel]] = {"people": Person, "tiers": Tier}
_IN_OUR_WORDS = {
    "missing": "is missing",
    "too_short": "is empty; there has to be one at least",
    "tuple_type": "must be a list, such as [...]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
}


def _complaint(location: tuple[int | str, ...], kind: str, message: str) -> str:
    """A mistake, with its table's heading and its key, so that a person finds it in the file."""
    message = message.removeprefix("Value error, ")
    if not location:  # tables contradict each other, and the message names them
        return message
    part = _PARTS.get(str(location[0])) if len(location) > 1 else None
    heading = ""
    keys = list(location)
    if part is Person:
        heading, keys = f"[people.{location[1]}] ", keys[2:]
    elif part is Tier and isinstance(location[1], int):
        heading, keys = f"[[tiers]] number {location[1] + 1}, ", keys[2:]
    if kind == "extra_forbidden":
        allowed = (part or Roster).model_fields.keys() - {"id"}
        message = f"is not known here; allowed are {', '.join(sorted(allowed))}"
    if keys == ["id"]:
        keys, message = [], "has a name that is no id: write small letters, digits, - and _, at most 32"
    message = _IN_OUR_WORDS.get(kind, message)
    places = [f"entry {key + 1}" if isinstance(key, int) else key for key in keys]
    return f"{heading}{', '.join(places)}: {message}" if places else f"{heading.strip()}: {message}"
