"""Which numbers are called back."""

from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.escalations import callback_numbers
from shared.escalations.callback_numbers import CallbackRules, NumberRefused, ToCall
from shared.numbers.phone_numbers import is_e164
from tests.escalations import escalation

US, GB, DE = "+12125550100", "+442079460958", "+4915112345678"
OTHER_US = "+12125550111"
RULES = CallbackRules()


def stated(number: str, rules: CallbackRules = RULES, *, caller: str = OTHER_US, called: str = US) -> str:
    """The number that is called back when a caller says this one."""
    return rules.stated(number, caller, called)


class TestAsItIsSaid:
    """How a number may be written."""

    @pytest.mark.parametrize(
        "text",
        [
            "+14155550123",
            "+1 415 555 0123",
            "+1 (415) 555-0123",
            "(415) 555-0123",
            "415.555.0123",
            "1 415 555 0123",
            "001 415 555 0123",
            " 415\u2011555\u20110123 ",
            "+1\u00a0415\u202f555/0123",
        ],
    )
    def test_a_number(self, text: str) -> None:
        """With spaces and dashes, with `00`, without a country code."""
        assert stated(text) == "+14155550123"

    def test_without_a_country_code(self) -> None:
        """It gets the country of the called number, or the caller's if the called number has none."""
        assert stated("020 7946 0999", caller=US, called=GB) == "+442079460999"
        assert stated("020 7946 0999", caller=GB, called="sip:desk@example.com") == "+442079460999"
        assert stated("020 7946 0999", caller=US, called=f"sip:{GB}@pbx.example.com") == "+442079460999"
        assert stated("+44 (0)20 7946 0999", caller=US, called=GB) == "+442079460999"

    @pytest.mark.parametrize(
        "text",
        [
            "+14155550123;ext=5",
            "+14155550123 ext 5",
            "+14155550123x5",
            "+14155550123;postd=900",
            "+14155550123,,5#",
            "tel:+14155550123",
            "sip:+14155550123@example.com",
            "sip:bob@example.com",
            "https://evil.example/+14155550123",
            "\uff0b14155550123",
            "+\uff11\uff14\uff11\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
            "+\u0661\u0664\u0661\u0665\u0665\u0665\u0660\u0661\u0662\u0663",
            "\u202e+14155550123",
            "+1415555\x000123",
            "+1 415 555 0123 +1 415 555 0124",
            "1-800-FLOWERS",
            "four one five",
            "*86",
            "911",
            "555 0123",
            "+1",
            "+",
            "",
            "0" * 5000,
            "5" * 5000,
        ],
    )
    def test_not_a_number(self, text: str) -> None:
        """Anything else that a phone might dial."""
        with pytest.raises(NumberRefused, match="not a complete phone number"):
            stated(text)

    @given(st.text(st.characters(codec=None, exclude_categories=())) | st.text("+0123456789 -().x;=,"))
    def test_whatever_is_said(self, text: str) -> None:
        """The result is a number in E.164 that can exist, or a refusal."""
        rules = CallbackRules(("US", "GB", "DE"))
        try:
            number = stated(text, rules)
        except NumberRefused:
            return
        assert is_e164(number)
        assert number.isascii()
        assert stated(number, rules) == number


class TestStated:
    """A number that the caller says, which differs from the one that they call from."""

    @pytest.mark.parametrize("example", ["+15557654321", "+15550000001", "(555) 765-4321"])
    def test_an_example(self, example: str) -> None:
        """Area code 555 is unassigned, and counts as the US."""
        number = stated(example)
        assert number.startswith("+1555")
        with pytest.raises(NumberRefused, match="not in a country"):
            stated(number, caller=GB, called=GB)

    def test_the_called_numbers_country(self) -> None:
        """Only that country is allowed, unless the setting lists others."""
        assert stated("+14155550123") == "+14155550123"
        with pytest.raises(NumberRefused, match="those are US"):
            stated(GB)
        assert stated("+442079460999", called=GB) == "+442079460999"
        assert stated(GB, CallbackRules(("US", "GB"))) == GB
        with pytest.raises(NumberRefused, match="those are GB"):
            stated("+14155550123", CallbackRules(("GB",)))

    def test_no_country_known(self) -> None:
        """Only the countries of the setting are allowed then."""
        with pytest.raises(NumberRefused, match="cannot be told which countries"):
            stated(US, caller="anonymous", called="sip:desk@example.com")
        assert stated(US, CallbackRules(("US",)), caller="anonymous", called="") == US

    def test_the_callers_own(self) -> None:
        """The number that they call from may be of any country, however it is written."""
        assert stated("+44 20 7946 0958", caller=GB) == GB

    @pytest.mark.parametrize("number", ["+18765550100", "+18095550100", "+14165550100", "+17875550100", "+16715550100"])
    def test_countries_within_plus_one(self, number: str) -> None:
        """Jamaica, the Dominican Republic, Canada, Puerto Rico and Guam are not the US."""
        with pytest.raises(NumberRefused, match="not in a country"):
            stated(number)


def _of_kind(kind: int) -> list[str]:
    """Examples of a kind of number, from every country that has one."""
    found = [phonenumbers.example_number_for_type(region, kind) for region in sorted(phonenumbers.SUPPORTED_REGIONS)]
    return [phonenumbers.format_number(each, phonenumbers.PhoneNumberFormat.E164) for each in found if each]


TYPES = phonenumbers.PhoneNumberType
EXPENSIVE = [TYPES.PREMIUM_RATE, TYPES.SHARED_COST, TYPES.PERSONAL_NUMBER, TYPES.PAGER, TYPES.VOICEMAIL]
WORLD = CallbackRules(tuple(sorted(phonenumbers.SUPPORTED_REGIONS)))
OF_NO_COUNTRY = [
    "+870773111632",
    "+88163150123",
    "+88216123456",
    "+883510012345",
    "+80012345678",
    "+80812345678",
    "+888123456789",
    "+979123456789",
    "+97912345678",
    "+16002012345",  # Canada's code for satellite phones
]


@pytest.mark.parametrize("number", [*(each for kind in EXPENSIVE for each in _of_kind(kind)), *OF_NO_COUNTRY])
def test_ranges_with_special_prices(number: str) -> None:
    """Premium rate, satellites and numbers of no country are never called, stated or reported by the network."""
    with pytest.raises(NumberRefused):
        stated(number, WORLD)
    assert WORLD.told(number, US) is None


@pytest.mark.parametrize("kind", [TYPES.FIXED_LINE, TYPES.MOBILE, TYPES.VOIP, TYPES.TOLL_FREE, TYPES.UAN])
def test_ordinary_numbers(kind: int) -> None:
    """They are called in every country that the setting allows."""
    for number in set(_of_kind(kind)) - set(OF_NO_COUNTRY):
        assert stated(number, WORLD) == number


@pytest.mark.parametrize("number", ["+49900112345678", "+4990011234567", "+19001234567", "+10000000000", "+999123456"])
def test_what_cannot_exist(number: str) -> None:
    """It is not called. A switch may route by the first digits, so one digit too many must not pass either."""
    with pytest.raises(NumberRefused):
        stated(number, WORLD)
    assert WORLD.told(number, US) is None


class TestOurs:
    """One of our own numbers would be called while it calls."""

    @pytest.mark.parametrize("ours", ["+14155550123", "+15550100301"])
    def test_refused(self, ours: str) -> None:
        """The number that was called, the one that alerts come from, and phones of people on call."""
        for rules, called in ((CallbackRules().and_ours(ours, None, ""), US), (RULES, ours)):
            with pytest.raises(NumberRefused, match="one of our own"):
                stated(ours, rules, called=called)
            assert rules.told(ours, called) is None

    def test_written_in_another_way(self) -> None:
        """The number is recognised, in the address of a SIP trunk as well."""
        for called in (f"sip:{GB}@pbx.example.com", f"SIPS:{GB};user=phone@pbx.example.com:5061"):
            with pytest.raises(NumberRefused, match="one of our own"):
                stated(GB, caller=US, called=called)
        rules = CallbackRules().and_ours("MG" + "0" * 32, "+4402079460958")
        with pytest.raises(NumberRefused, match="one of our own"):
            stated(GB, rules, caller=US, called="+442079460999")


class TestToCall:
    """CallbackRules.to_call: the one number to speak, show and dial"""

    @pytest.mark.parametrize(
        ("fields", "to_call"),
        [
            ({"caller": GB}, ToCall(GB, GB)),
            ({"caller": GB, "callback_number": OTHER_US}, ToCall(OTHER_US, GB)),
            ({"caller": GB, "callback_number": "(212) 555-0111"}, ToCall(OTHER_US, GB)),
            ({"caller": GB, "callback_number": GB}, ToCall(GB, GB)),
            ({"caller": GB, "callback_number": DE}, ToCall(GB, GB)),
            ({"caller": GB, "callback_number": "sip:bob@example.com"}, ToCall(GB, GB)),
            ({"caller": "anonymous", "callback_number": OTHER_US}, ToCall(OTHER_US, None)),
            ({"caller": "sip:bob@example.com", "callback_number": OTHER_US}, ToCall(OTHER_US, None)),
            ({"caller": "sip:bob@example.com"}, ToCall(None, None)),
            ({"caller": "anonymous", "callback_number": "+19005551234"}, ToCall(None, None)),
            ({"caller": "+19005551234", "callback_number": OTHER_US}, ToCall(OTHER_US, None)),
            ({"caller": US}, ToCall(None, None)),
            ({"caller": "+266696687"}, ToCall(None, None)),
        ],
    )
    def test_which(self, fields: dict[str, Any], to_call: ToCall) -> None:
        """The number that the caller stated if it may be called, else the one that they called from if that may."""
        assert RULES.to_call(escalation(called=US, **fields)) == to_call

    def test_elsewhere(self) -> None:
        """True if the number is not the one that the caller called from."""
        assert ToCall(US, GB).elsewhere
        assert ToCall(US, None).elsewhere
        assert not ToCall(US, US).elsewhere
        assert not ToCall(None, None).elsewhere


def test_the_reasons_name_no_number() -> None:
    """The model gets them, and they may be logged."""
    reasons = [text for name, text in vars(callback_numbers).items() if name.isupper() and isinstance(text, str)]
    assert len(reasons) == 5
    assert not [reason for reason in reasons if any(character.isdigit() for character in reason)]
