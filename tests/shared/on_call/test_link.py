"""Desk links."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.calls import stream_token
from shared.on_call.link import CLOCK_SKEW_S, LIFE_S, DeskLink, InvalidDeskLink, sign, verify

KEY = SecretStr("a key that nobody else has")
ESCALATION = "CA" + "0123456789abcdef" * 2 + "-1"


def refusal(token: str, key: SecretStr = KEY) -> str:
    """Why the token was refused."""
    with pytest.raises(InvalidDeskLink) as error:
        verify(key, token)
    return error.value.reason


def turn_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Sets the verifier's clock forward, or back."""
    now = time.time()
    monkeypatch.setattr("shared.on_call.link.time.time", lambda: now + seconds)


ids = st.one_of(
    st.from_regex(r"CA[0-9a-f]{32}-[0-9]{1,12}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@given(escalation_id=ids, person=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_goes_in_comes_out(escalation_id: str, person: str) -> None:
    """Any ids; those of calls are packed."""
    assert verify(KEY, sign(KEY, escalation_id, person)) == DeskLink(escalation_id, person)


def test_it_fits_a_text_message() -> None:
    """It leaves room for the alert's text, and its characters need no escapes in a URL."""
    token = sign(KEY, ESCALATION, "maria")
    assert len(token) <= 64
    assert token.replace("-", "").replace("_", "").replace(".", "").isalnum()


def test_an_id_with_a_zero_byte() -> None:
    """A zero byte marks the end of an id, so no id may contain one."""
    with pytest.raises(ValueError, match="zero byte"):
        sign(KEY, "one\0two", "maria")


def test_other_key() -> None:
    """A token signed with another key is a forgery."""
    assert refusal(sign(SecretStr("another key"), ESCALATION, "maria")) == "forged"


def test_a_stream_token_is_no_desk_link() -> None:
    """Each kind of token is refused as the other, although the key is the same."""
    assert refusal(stream_token.sign(KEY, "CA1")) == "forged"
    with pytest.raises(stream_token.InvalidStreamToken):
        stream_token.verify(KEY, sign(KEY, ESCALATION, "maria"), "CA1")


@pytest.mark.parametrize("garbage", ["", ".", "a.b.c", "é.é.é", "\ud800", "x" * 10_000])
def test_garbage(garbage: str) -> None:
    """Any other text counts as forged, without another error."""
    assert refusal(garbage) == "forged"


def test_every_character_counts() -> None:
    """No part of a token can be changed or cut: escalation, person, time or signature."""
    token = sign(KEY, ESCALATION, "maria")
    for place in range(len(token) - 1):  # of the last character only some bits are used
        changed = "A" if token[place] != "A" else "B"
        assert refusal(token[:place] + changed + token[place + 1 :]) == "forged"
    for length in range(len(token)):
        assert refusal(token[:length]) == "forged"


def test_a_link_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is valid for a day."""
    token = sign(KEY, ESCALATION, "maria")
    with monkeypatch.context() as patch:
        turn_clock(patch, LIFE_S - 2)
        assert verify(KEY, token).person == "maria"
    turn_clock(monkeypatch, LIFE_S + 2)
    assert refusal(token) == "expired"


def test_at_any_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twilio's requests are accepted with an expired link, but never with a forged one."""
    token = sign(KEY, ESCALATION, "maria")
    forged = sign(SecretStr("another key"), ESCALATION, "maria")
    turn_clock(monkeypatch, 30 * LIFE_S)
    assert verify(KEY, token, at_any_age=True) == DeskLink(ESCALATION, "maria")
    with pytest.raises(InvalidDeskLink, match="forged"):
        verify(KEY, forged, at_any_age=True)


def test_clocks_may_differ_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link may be signed a few seconds in the future, but not a minute."""
    token = sign(KEY, ESCALATION, "maria")
    with monkeypatch.context() as patch:
        turn_clock(patch, 1 - CLOCK_SKEW_S)
        assert verify(KEY, token).person == "maria"
    turn_clock(monkeypatch, -60)
    assert refusal(token) == "expired"


def test_the_link_is_not_in_the_error() -> None:
    """Errors are logged, and a link is a secret."""
    token = sign(SecretStr("another key"), ESCALATION, "maria")
    with pytest.raises(InvalidDeskLink) as error:
        verify(KEY, token)
    assert token not in repr(error.value)
