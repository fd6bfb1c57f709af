"""Stream tokens."""

import time

import pytest
from pydantic import SecretStr

from shared.calls.stream_token import CLOCK_SKEW_S, LIFE_S, InvalidStreamToken, sign, verify

KEY = SecretStr("a key that nobody else has")
CALL = "CA" + "0" * 32


def refusal(token: str, call_sid: str = CALL, key: SecretStr = KEY) -> str:
    """Why the token was refused."""
    with pytest.raises(InvalidStreamToken) as error:
        verify(key, token, call_sid)
    return error.value.reason


def turn_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Sets the verifier's clock forward, or back."""
    now = time.time()
    monkeypatch.setattr("shared.calls.stream_token.time.time", lambda: now + seconds)


def test_a_token_is_valid_for_its_call() -> None:
    """`verify` returns the token's id, which differs each time."""
    assert verify(KEY, sign(KEY, CALL), CALL)
    assert verify(KEY, sign(KEY, CALL), CALL) != verify(KEY, sign(KEY, CALL), CALL)


def test_a_token_fits_a_stream_parameter() -> None:
    """Twilio allows 500 characters for name and value together."""
    assert len(sign(KEY, CALL)) < 300


def test_other_call() -> None:
    """A token for one call is not valid for another."""
    assert refusal(sign(KEY, CALL), "CA" + "1" * 32) == "other call"


def test_other_key() -> None:
    """A token signed with another key is a forgery."""
    assert refusal(sign(SecretStr("another key"), CALL)) == "forged"


@pytest.mark.parametrize("garbage", ["", ".", "a.b.c", "é.é.é", "\ud800", "x" * 10_000])
def test_garbage(garbage: str) -> None:
    """Any other text counts as forged, without another error."""
    assert refusal(garbage) == "forged"


def test_every_character_counts() -> None:
    """No part of a token can be changed: call, time or signature."""
    token = sign(KEY, CALL)
    for place in range(len(token) - 1):  # of the last character only some bits are used
        changed = "A" if token[place] != "A" else "B"
        assert refusal(token[:place] + changed + token[place + 1 :]) == "forged"


def test_a_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is valid for two minutes."""
    token = sign(KEY, CALL)
    with monkeypatch.context() as patch:
        turn_clock(patch, LIFE_S - 2)
        assert verify(KEY, token, CALL)
    turn_clock(monkeypatch, LIFE_S + 2)
    assert refusal(token) == "expired"


def test_clocks_may_differ_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's clock may be a few seconds behind, but not a minute."""
    token = sign(KEY, CALL)
    with monkeypatch.context() as patch:
        turn_clock(patch, 1 - CLOCK_SKEW_S)
        assert verify(KEY, token, CALL)
    turn_clock(monkeypatch, -60)
    assert refusal(token) == "expired"


def test_the_token_is_not_in_the_error() -> None:
    """Errors are logged, and a token is a secret."""
    token = sign(KEY, CALL)
    with pytest.raises(InvalidStreamToken) as error:
        verify(KEY, token, "another call")
    assert token not in repr(error.value)
