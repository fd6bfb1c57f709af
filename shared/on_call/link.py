"""Desk links, which let one person on call see and take one escalation without a login.

The token is part of a link in a text message, so it is short: a call's sid is packed, and the signature is cut to 128
bits, which cannot be guessed. Anyone with the link can act as that person, so it is never logged.
"""

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadData, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import SigningAlgorithm
from pydantic import SecretStr

# A person who finds the alert in the morning can still call back.
LIFE_S = 24 * 60 * 60
CLOCK_SKEW_S = 5
SIGNATURE_BYTES = 16

PACKED, PLAIN = b"\1", b"\0"
_OF_A_CALL = re.compile(r"CA([0-9a-f]{32})-([0-9]|[1-9][0-9]{1,8})")


class InvalidDeskLink(Exception):
    """The token is not valid; `reason` says why."""

    def __init__(self, reason: Literal["forged", "expired"]) -> None:
        super().__init__(f"desk link refused: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class DeskLink:
    """The escalation that a token opens, and the roster id of the person it is for."""

    escalation_id: str
    person: str


class _Truncated(SigningAlgorithm):
    """HMAC with SHA-256, of which the first half is used (RFC 2104, section 5)."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """The signature of a value."""
        return hmac.digest(key, value, hashlib.sha256)[:SIGNATURE_BYTES]


def _signer(signing_key: SecretStr) -> TimestampSigner:
    # The salt: tokens of another kind that are signed with the same key are not valid here.
    return TimestampSigner(
        signing_key.get_secret_value(),
        salt="bellhop desk link",
        key_derivation="hmac",
        digest_method=hashlib.sha256,
        algorithm=_Truncated(),
    )


def sign(signing_key: SecretStr, escalation_id: str, person: str) -> str:
    """A token for a person and an escalation: about 60 characters, all allowed in a URL's path."""
    return _signer(signing_key).sign(base64_encode(_pack(escalation_id) + person.encode())).decode()


def verify(signing_key: SecretStr, token: str, *, at_any_age: bool = False) -> DeskLink:
    """The escalation and person of a valid token.

    Args:
        at_any_age: accept an expired token, for URLs that were given to Twilio and concern a call of that time.

    Raises:
        InvalidDeskLink: when it was forged or altered, or is more than a day old.
    """
    try:
        signed, signed_at = _signer(signing_key).unsign(token, return_timestamp=True)
        escalation_id, person = _unpack(base64_decode(signed))
    except (BadData, ValueError):  # ValueError: text that cannot be encoded, such as a lone surrogate
        raise InvalidDeskLink("forged") from None
    if not at_any_age and not -CLOCK_SKEW_S <= time.time() - signed_at.timestamp() <= LIFE_S:
        raise InvalidDeskLink("expired")
    return DeskLink(escalation_id, person)


def _pack(escalation_id: str) -> bytes:
    # In both forms a zero byte, which no id contains, separates the escalation from the person.
    if found := _OF_A_CALL.fullmatch(escalation_id):
        return PACKED + bytes.fromhex(found[1]) + found[2].encode() + b"\0"
    if "\0" in escalation_id:
        raise ValueError("an escalation's id has no zero byte")
    return PLAIN + escalation_id.encode() + b"\0"


def _unpack(packed: bytes) -> tuple[str, str]:
    kind, rest = packed[:1], packed[1:]
    call, rest = (rest[:16], rest[16:]) if kind == PACKED else (b"", rest)
    name, _, person = rest.partition(b"\0")
    return (f"CA{call.hex()}-{name.decode()}" if kind == PACKED else name.decode()), person.decode()
