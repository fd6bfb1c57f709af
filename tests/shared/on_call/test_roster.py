"""The roster: who is on duty, and the messages about mistakes."""

from datetime import UTC, datetime

import pytest

from shared.on_call.roster import THE_TOPIC, Roster, RosterError

TEXT = """
handover = "cold"

[[tiers]]
accept_within_s = 45
people = ["maria", "ben"]

[[tiers]]
people = ["carla"]

[people.maria]
name = "Maria Lopez"
phone = "+15550100301"
channels = ["sms", "phone"]
languages = ["en", "es"]
hours = ["Mon-Fri 08:00-18:00", "Sat 09:00-12:00"]
time_zone = "Europe/Berlin"

[people.ben]
name = "Ben"
phone = "+15550100302"
languages = ["en"]
hours = ["Mon-Sun 18:00-08:00"]
time_zone = "America/New_York"

[people.carla]
name = "Carla"
channels = ["sns"]
topic_arn = "arn:aws:sns:us-east-1:123456789012:bellhop-carla"
"""
NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # in Berlin, on a Monday; in New York it is six in the morning
ARN = "arn:aws:sns:us-east-1:123456789012:bellhop-alerts"


def ids(people: list[object]) -> list[str]:
    """The ids of people."""
    return [getattr(person, "id", "") for person in people]


def complaints(text: str) -> str:
    """The error message of a roster."""
    with pytest.raises(RosterError) as error:
        Roster.parse(text)
    return str(error.value)


def changed(old: str, new: str) -> str:
    """The error message of the roster after a change."""
    assert old in TEXT
    return complaints(TEXT.replace(old, new, 1))


class TestOnDuty:
    """Roster.on_duty, everybody and person"""

    roster = Roster.parse(TEXT)

    def test_what_is_written(self) -> None:
        """Every key is read, and has a default."""
        assert self.roster.handover == "cold"
        assert [tier.accept_within_s for tier in self.roster.tiers] == [45, 60]
        maria = self.roster.person("maria")
        assert maria is not None
        assert (maria.name, maria.phone, maria.channels) == ("Maria Lopez", "+15550100301", ("sms", "phone"))
        assert self.roster.person("dora") is None
        assert (
            Roster.parse('tiers = [{people = ["a"]}]\n[people.a]\nname = "A"\nphone = "+15550100301"').handover
            == "warm"
        )

    def test_who_speaks_the_language(self) -> None:
        """Only those who speak it, or all of the tier if nobody does. A person without languages speaks any."""
        assert ids([*self.roster.on_duty(1, "es", NOON)]) == ["maria"]
        assert ids([*self.roster.on_duty(1, "es-MX", NOON)]) == ["maria"]
        assert ids([*self.roster.on_duty(1, "EN", NOON)]) == ["maria", "ben"]
        assert ids([*self.roster.on_duty(1, "de", NOON)]) == ["maria", "ben"]
        assert ids([*self.roster.on_duty(2, "de", NOON)]) == ["carla"]

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            (datetime(2026, 11, 23, 7, tzinfo=UTC), ["maria", "ben"]),  # Berlin 08:00, New York 02:00
            (datetime(2026, 11, 23, 6, 59, tzinfo=UTC), ["ben"]),
            (datetime(2026, 11, 23, 13, tzinfo=UTC), ["maria"]),  # New York 08:00
            (datetime(2026, 11, 23, 17, 0, tzinfo=UTC), []),  # Berlin 18:00, New York 12:00
            (datetime(2026, 7, 20, 6, tzinfo=UTC), ["maria", "ben"]),  # in summer Berlin's 08:00 is an hour earlier
            (datetime(2026, 7, 20, 5, 59, tzinfo=UTC), ["ben"]),
            (datetime(2026, 11, 28, 8, tzinfo=UTC), ["maria", "ben"]),  # Saturday
        ],
    )
    def test_by_local_time(self, at: datetime, expected: list[str]) -> None:
        """Each person's local time, in summer and in winter."""
        assert ids([*self.roster.on_duty(1, "en", at)]) == expected
        assert ids([*self.roster.everybody(at)]) == [*expected, "carla"]

    @pytest.mark.parametrize("minute", [0, 30, 59])
    def test_the_repeated_hour(self, minute: int) -> None:
        """When the clocks go back, a shift that ends at three includes both hours between two and three."""
        text = TEXT.replace('["Mon-Fri 08:00-18:00", "Sat 09:00-12:00"]', '["Sun 00:00-03:00"]')
        night = Roster.parse(text)
        for hour, expected in ((0, True), (1, True), (2, False)):  # 02:xx, 02:xx again, and 03:xx in Berlin
            at = datetime(2026, 10, 25, hour, minute, tzinfo=UTC)
            assert ("maria" in ids([*night.on_duty(1, "es", at)])) is expected


class TestMistakes:
    """Roster.parse: each error names the key and what is allowed"""

    def test_not_toml(self) -> None:
        """The message says where the syntax is wrong."""
        assert "This is not TOML: " in complaints("tiers= [}")

    @pytest.mark.parametrize(
        ("old", "new", "complaint"),
        [
            ('"cold"', '"hot"', "handover: Input should be 'warm' or 'cold'"),
            ("= 45", "= 5", "[[tiers]] number 1, accept_within_s: Input should be greater than or equal to 15"),
            ("= 45", "= 901", "[[tiers]] number 1, accept_within_s: Input should be less than or equal to 900"),
            ('["carla"]', '["clara"]', "[[tiers]] number 2, people: clara not among [people]: maria, ben, carla"),
            ('["carla"]', "[]", "[[tiers]] number 2, people: is empty"),
            ('["carla"]', '"carla"', "[[tiers]] number 2, people: must be a list"),
            ('["carla"]', '["carla", "carla"]', "[[tiers]] number 2, people: has carla more than once"),
            ('"+15550100301"', '"555-0100"', "[people.maria] phone: must be a phone number with its country code"),
            ('"+15550100302"', '"+15550100301"', "[people.ben] phone: is the phone of [people.maria] too"),
            ('phone = "+15550100302"', "", "[people.ben]: has no phone, which the channels sms and phone need"),
            (
                '"sms", "phone"',
                '"sms", "fax"',
                "[people.maria] channels, entry 2: Input should be 'sms', 'phone' or 'sns'",
            ),
            ('"sms", "phone"', "", "[people.maria] channels: is empty"),
            (
                '"en", "es"',
                '"en", "Spanish"',
                "[people.maria] languages, entry 2: 'Spanish' is no language; write its code",
            ),
            ('"en", "es"', '"en", "sp"', "[people.maria] languages, entry 2: 'sp' is no language"),
            ("Sat 09", "Sab 09", "[people.maria] hours, entry 2: 'Sab' is no day; they are Mon, Tue"),
            (
                "Europe/Berlin",
                "Europe/Bern",
                "[people.maria] time_zone: 'Europe/Bern' is no time zone; write one such as",
            ),
            ("Europe/Berlin", "Europe", "[people.maria] time_zone: 'Europe' is no time zone"),
            ("Europe/Berlin", "../etc/passwd", "[people.maria] time_zone: '../etc/passwd' is no time zone"),
            ('time_zone = "Europe/Berlin"', "", "[people.maria]: has hours and no time_zone"),
            (
                "topic_arn",
                "topic",
                "[people.carla] topic: is not known here; allowed are channels, hours, languages, name",
            ),
            ('"arn:aws', '"aws', "[people.carla] topic_arn: String should match pattern"),
            ("[people.carla]", '[people."Carla B"]', "[people.Carla B]: has a name that is no id: write small letters"),
            ('name = "Ben"', "", "[people.ben] name: is missing"),
            ('handover = "cold"', 'colour = "red"', "colour: is not known here; allowed are handover, people, tiers"),
        ],
    )
    def test_one(self, old: str, new: str, complaint: str) -> None:
        """The message has the heading and the key."""
        assert complaint in changed(old, new)

    def test_the_wrong_kind(self) -> None:
        """A table instead of a list, and a list or number instead of a table."""
        assert complaints("tiers = {}\npeople = []") == "tiers: must be a list, such as [...]\npeople: must be a table"
        assert "[people.a]: must be a table" in complaints("people.a = 3")

    def test_several(self) -> None:
        """All mistakes at once, one per line."""
        lines = changed('["carla"]', '[]\npeeple = ["carla"]\naccept_within_s = 5').splitlines()
        assert len(lines) == 3
        assert all(line.startswith("[[tiers]] number 2, ") for line in lines)

    def test_how_many_tiers(self) -> None:
        """One at least, and five at most."""
        assert "tiers: there may be 5 at most" in complaints(
            '[[tiers]]\npeople = ["ben"]\n' * 4 + TEXT.partition("\n\n")[2]
        )
        assert complaints("") == "tiers: is missing\npeople: is missing"
        assert complaints("tiers = []\n[people]") == "tiers: there has to be one at least"

    def test_an_id_of_ones_own(self) -> None:
        """The heading is the id, so a key `id` is refused."""
        assert "[people.ben] id: is not known here" in changed('name = "Ben"', 'name = "Ben"\nid = "b"')


class TestWithoutARoster:
    """Roster.of_settings and with_topic"""

    def test_numbers(self) -> None:
        """One tier, everybody by SMS and always on duty."""
        roster = Roster.of_settings(["+15550000001", "+15550000002"], None)
        assert roster is not None
        assert [(p.id, p.phone, p.channels) for p in roster.on_duty(1, "fi", NOON)] == [
            ("on-call-1", "+15550000001", ("sms",)),
            ("on-call-2", "+15550000002", ("sms",)),
        ]
        assert {person.name for person in roster.people.values()} == {"the person on call"}
        assert [tier.accept_within_s for tier in roster.tiers] == [300]

    def test_a_topic(self) -> None:
        """As the only person, or as one more of the first tier."""
        alone = Roster.of_settings([], ARN)
        assert alone is not None
        assert [(p.id, p.topic_arn, p.channels) for p in alone.everybody(NOON)] == [(THE_TOPIC, ARN, ("sns",))]
        both = Roster.parse(TEXT).with_topic(ARN)
        assert ids([*both.on_duty(1, "en", NOON)]) == ["maria", "ben", THE_TOPIC]
        assert ids([*both.on_duty(2, "en", NOON)]) == ["carla"]
        assert both.person(THE_TOPIC) is not None

    def test_nobody(self) -> None:
        """Without numbers and topic there is no roster."""
        assert Roster.of_settings([], None) is None


def test_a_name_is_one_plain_line() -> None:
    """It is spoken to callers and shown to colleagues, so characters that hide or that break XML are removed."""
    text = TEXT.replace('name = "Maria Lopez"', 'name = "Maria\\u0000 \\u202eLopez\\n\\u0007"')
    assert Roster.parse(text).people["maria"].name == "Maria Lopez"
    with pytest.raises(RosterError, match=r"\[people.maria\] name: "):
        Roster.parse(TEXT.replace('name = "Maria Lopez"', 'name = "\\u200b"'))
