"""Text of callers: quoted, and without links."""

# ruff: noqa: RUF001 # letters and dots that look like others are what is tested

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.quoted import defanged, quoted, said, shown
from tests.shared.text.phone_links import links_in

# Pieces of links, so that most generated texts are nearly links.
_PIECES = [
    *("http", "https", "HTTPS", "hxxps", "ftp", "tel", "sip", "sms", "mailto", "javascript", "x-app"),
    *("://", ":", "//", "/", ".", "..", "@", "[", "]", "[.]", "[:]", "[@]", "(", ")", " ", "\n", "-", "_", "'", '"'),
    *(
        "evil",
        "example",
        "com",
        "a",
        "1",
        "10",
        "255",
        "www",
        "bit",
        "ly",
        "xn--e1afmkfd",
        "рф",
        "भारत",
        "例え",
        "\u00fc",
    ),
    *(
        "\u3002",
        "\uff0e",
        "\uff61",
        "\u2024",
        "\ufe52",
        "\uff1a",
        "\uff0f",
        "\uff20",
        "\u2236",
        "\u200b",
        "\u202e",
        "\u00ad",
    ),
    *("ｈｔｔｐ", "ｃｏｍ", "\u201c", "\uff02", "+15551234567", "?q=1", "#x", ":8080"),
]
nearly_links = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=3)), max_size=12).map("".join)


@settings(max_examples=500)
@given(nearly_links)
def test_no_link_is_left(text: str) -> None:
    """In any generated text; a second pass changes nothing."""
    for made in (shown(text), said(text), quoted(text, 40)):
        assert links_in(made) == []
    assert shown(shown(text)) == shown(text)
    assert said(said(text)) == said(text)
    assert defanged(defanged(text)) == defanged(text)


@given(nearly_links, st.integers(min_value=10, max_value=60))
def test_a_quotation_ends_where_it_ends(text: str, length: int) -> None:
    """One line with two quotation marks, at its start and end."""
    line = quoted(text, length)
    assert len(line) <= length
    assert line[0] == line[-1] == '"'
    assert line.count('"') == 2
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("https://evil.example/x", "hxxps://evil[.]example/x"),
        ("HTTP://Evil.Example", "HxxP://Evil[.]Example"),
        ("http:evil.example", "hxxp:evil[.]example"),
        ("confirm at evil.example.", "confirm at evil[.]example."),
        ("www.evil.example", "www[.]evil[.]example"),
        ("bit.ly/abc", "bit[.]ly/abc"),
        ("http://10.0.0.1:80/", "hxxp://10[.]0[.]0[.]1:80/"),
        ("jane@evil.example", "jane[@]evil[.]example"),
        ("call sip:bob@evil.example", "call sip[:]bob[@]evil[.]example"),
        ("tel:+19005551234", "tel[:]+19005551234"),
        ("日本tel:+19005551234", "日本tel[:]+19005551234"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("пример.рф", "пример[.]рф"),
        ("भारत.भारत", "भारत[.]भारत"),
        ("xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd[.]xn--p1ai"),
        ("evil\uff0ecom evil\u2024com evil\u3002com", "evil[.]com evil[.]com evil\u3002 com"),
        ("ｈｔｔｐｓ：／／ｅｖｉｌ．ｃｏｍ", "hxxps://evil[.]com"),
        ("e\u200bvil\u00ad.c\u2060om", "evil[.]com"),
    ],
)
def test_links(text: str, harmless: str) -> None:
    """The text stays readable, without a link to tap on."""
    assert shown(text) == harmless


@pytest.mark.parametrize(
    "prose",
    [
        "Locked out of room 214, small child inside. Since 10.30!",
        "3.5 kg, e.g. this one; at 10:30 a.m. in the U.S. (order 5551234)",
        "Waited... then left. She paid 1.234,50 EUR @ the desk, ratio 2:1",
        "El niño está dentro. ¿Qué hacer?\nZimmer 3. Stock.",
        "½ hour, 20 m², “now” – «please»",
        "部屋に入れません。 子供が中にいます。",
    ],
)
def test_prose_stays(prose: str) -> None:
    """Ordinary text is unchanged."""
    assert shown(prose) == prose


@pytest.mark.parametrize("piece", ["a", "a.", "1.", "a:", "http", "h", "@", "+-.", "\u3002", "a@"])
def test_the_work_grows_with_the_text(piece: str) -> None:
    """Each rule takes linear time, so that a page with a long transcript entry does not hang."""
    text = piece * (200_000 // len(piece))
    assert links_in(shown(text)[:200]) == []
    assert len(shown(text)) >= len(text)


def test_a_quotation() -> None:
    """Other quotation marks cannot end it, and the mark of a cut is inside of it."""
    assert quoted('He said "stop". “Now”', 100) == "\"He said 'stop'. 'Now'\""
    assert quoted("one two three", 10) == '"one t..."'
