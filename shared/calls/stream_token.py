"""Stream tokens: what lets a call's media stream in. The voice function mints one for each, the worker verifies it.

Twilio's handshake signature names no call and can be replayed, so the token does both jobs: it is bound to its call,
it lives for two minutes, and its id is good for one use (`CallStore.claim_stream`).
"""

import hashlib
import secrets
import time
from typing import Literal

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr

# Twilio opens the stream when the greeting before it has been spoken: a greeting of a minute, and a minute to spare.
LIFE_S = 120
# Two machines' clocks are compared in whole seconds; a token from the next second is not a forgery.
CLOCK_SKEW_S = 5


class InvalidStreamToken(Exception):
    """The token does not let this stream in; `reason` says why."""

    def __init__(self, reason: Literal["forged", "expired", "other call"]) -> None:
        super().__init__(f"stream token refused: {reason}")
        self.reason = reason


def _serializer(signing_key: SecretStr) -> URLSafeTimedSerializer:
    # The salt keeps a token of another kind, signed with the same key, from passing for one of these.
    return URLSafeTimedSerializer(
        signing_key.get_secret_value(),
        salt="bellhop stream token",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )


def sign(signing_key: SecretStr, call_sid: str) -> str:
    """A new token for a call: about 140 characters, far below the 500 of a Twilio stream parameter."""
    return _serializer(signing_key).dumps([call_sid, secrets.token_urlsafe(12)])


def verify(signing_key: SecretStr, token: str, call_sid: str) -> str:
    """The id of a valid token for this very call. That it was not used before is for the caller to check.

    Raises:
        InvalidStreamToken: when it was forged, is more than two minutes old, or was minted for another call.
    """
    try:
        (minted_for, token_id), minted_at = _serializer(signing_key).loads(token, return_timestamp=True)
    except (BadData, ValueError):  # ValueError: text that cannot be encoded, such as half of a surrogate pair
        raise InvalidStreamToken("forged") from None
    if not -CLOCK_SKEW_S <= time.time() - minted_at.timestamp() <= LIFE_S:
        raise InvalidStreamToken("expired")
    if not isinstance(token_id, str) or minted_for != call_sid:
        raise InvalidStreamToken("other call")
    return token_id
