"""Foreign text: which characters are kept."""

# ruff: noqa: RUF001 # dashes and letters as people write them

import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.plain import plain, plain_all, plain_line, shortened

# By default Hypothesis leaves surrogates out.
any_text = st.text(st.characters(codec=None, exclude_categories=()))


@given(any_text)
def test_it_fits_into_xml(text: str) -> None:
    """Any text, as the text of an element and as an attribute."""
    element = ET.Element("Say", {"language": plain_line(text)})
    element.text = plain(text)
    read = ET.fromstring(ET.tostring(element, encoding="unicode"))  # noqa: S314 # our own XML
    assert (read.text or "", read.get("language")) == (plain(text), plain_line(text))


@given(any_text)
def test_nothing_is_hidden(text: str) -> None:
    """No control, format or private character and no surrogate is left; a second pass changes nothing."""
    left = plain(text)
    assert not {unicodedata.category(character) for character in left if character != "\n"} & {"Cc", "Cf", "Cs", "Co"}
    assert plain(left) == left
    assert plain_line(plain_line(text)) == plain_line(text)
    assert "\n" not in plain_line(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Zimmer 214, bitte!", "Zimmer 214, bitte!"),
        ("一部屋 – ½ “naïve” 😀", "一部屋 – ½ “naïve” 😀"),
        ("first\r\nsecond\rthird\tfourth", "first\nsecond\nthird fourth"),
        ("no\u00a0break\u2028here", "no break here"),
        ("a\x00b\x0bc\x1b[31m\ufffe\uffff\ud800d", "ab c[31md"),
        ("\u202egnp.exe\u202c \u200bz\u2060w\ufeff \u3164f\ufe0f\u00ad", "gnp.exe zw f"),
    ],
)
def test_what_people_write_stays(text: str, kept: str) -> None:
    """Letters of every language, punctuation and line breaks; other white space becomes a space."""
    assert plain(text) == kept


def test_a_value_of_json() -> None:
    """Every text in it, keys included."""
    assert plain_all({"a\x00": ["b\x00", {"c": "\ud800"}], "d": 1, "e": None}) == {
        "a": ["b", {"c": ""}],
        "d": 1,
        "e": None,
    }


def test_a_cut_has_a_mark() -> None:
    """A text that is short enough has none."""
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abc defg", 7) == "abc..."
