"""Signatures made by Twilio's library, checked by our functions."""

from typing import Any

import pytest
from pydantic import SecretStr
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from shared.twilio.signature import handshake_is_signed, request_is_signed

TOKEN = SecretStr("auth token")
URL = "https://example.com/incoming-call?a=1&b=%20x"
STREAM_URL = "wss://example.com/media-stream"


def sign(url: str, params: Any = None, token: SecretStr = TOKEN) -> str:
    """Twilio's signature."""
    return str(RequestValidator(token.get_secret_value()).compute_signature(url, params or {}))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"CallSid": "CA1", "From": "+15551234567", "Digits": ""},
        ImmutableMultiDict([("b", "2"), ("a", "1"), ("b", "1")]),
    ],
)
def test_a_signed_request(params: Any) -> None:
    """Without fields, with a blank one, and with a repeated one."""
    assert request_is_signed(TOKEN, sign(URL, params), URL, params)


@pytest.mark.parametrize("signature", [None, "", "x", "é" * 28, sign(URL, {"a": "1"}, SecretStr("another"))])
def test_a_request_that_is_not(signature: str | None) -> None:
    """No signature, garbage, or one made with another token."""
    assert request_is_signed(TOKEN, signature, URL, {"a": "1"}) is False


def test_each_part_of_a_request_is_signed() -> None:
    """A changed URL or field, or an added blank field, invalidates the signature."""
    signature = sign(URL, {"a": "1"})
    assert not request_is_signed(TOKEN, signature, URL.replace("%20", " "), {"a": "1"})
    assert not request_is_signed(TOKEN, signature, URL, {"a": "2"})
    assert not request_is_signed(TOKEN, signature, URL, {"a": "1", "blank": ""})


@pytest.mark.parametrize("configured", [STREAM_URL, f"{STREAM_URL}/"])
@pytest.mark.parametrize("signed", [STREAM_URL, f"{STREAM_URL}/"])
def test_a_signed_handshake(configured: str, signed: str) -> None:
    """With or without a slash at the end, in the signed and in the configured URL."""
    assert handshake_is_signed(TOKEN, sign(signed), configured)


def test_a_handshake_that_is_not() -> None:
    """Another host, another path, another token."""
    for url in ("wss://example.org/media-stream", "wss://example.com/", f"{STREAM_URL}//"):
        assert not handshake_is_signed(TOKEN, sign(url), STREAM_URL)
    assert not handshake_is_signed(TOKEN, sign(STREAM_URL, token=SecretStr("another")), STREAM_URL)
