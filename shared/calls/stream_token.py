"""Stream tokens, which authorise a call's media stream. The voice function signs one per call; the worker verifies it.

Twilio's handshake signature names no call and can be replayed. So the token is bound to its call, is valid for two
minutes, and may be used once (`CallStore.claim_stream`).
"""

import hashlib
import secrets
import time
from typing import Literal

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr

# Twilio opens the stream after the spoken greeting: up to one minute for that, and one to spare.
LIFE_S = 120
# Two machines' clocks differ, and times are whole seconds: a token from the near future is valid.
CLOCK_SKEW_S = 5


class InvalidStreamToken(Exception):
    """The token does not authorise this stream; `reason` says why."""

    def __init__(self, reason: Literal["forged", "expired", "other call"]) -> None:
        super().__init__(f"stream token refused: {reason}")
        self.reason = reason


def _serializer(signing_key: SecretStr) -> URLSafeTimedSerializer:
    # The salt: tokens of another kind that are signed with the same key are not valid here.
    return URLSafeTimedSerializer(
        signing_key.get_secret_value(),
        salt="bellhop stream token",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )


def sign(signing_key: SecretStr, call_sid: str) -> str:
    """A new token for a call: about 140 characters, far below the 500 of a Twilio stream parameter."""
    return _serializer(signing_key).dumps([call_sid, secrets.token_urlsafe(12)])


def verify(signing_key: SecretStr, token: str, call_sid: str) -> str:
    """The id of a token that is valid for this call. Does not check whether the token was used before.

    Raises:
        InvalidStreamToken: when it was forged, is more than two minutes old, or is for another call.
    """
    try:
        (signed_for, token_id), signed_at = _serializer(signing_key).loads(token, return_timestamp=True)
    except (BadData, ValueError):  # ValueError: text that cannot be encoded, such as a lone surrogate
        raise InvalidStreamToken("forged") from None
    if not -CLOCK_SKEW_S <= time.time() - signed_at.timestamp() <= LIFE_S:
        raise InvalidStreamToken("expired")
    if not isinstance(token_id, str) or signed_for != call_sid:
        raise InvalidStreamToken("other call")
    return token_id
