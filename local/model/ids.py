"""Identifiers in the service's format: `item_`, `resp_`, `event_` and so on, with 21 random letters and digits."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """A fresh identifier such as `item_CGz0MgUoIe6epd4eHp4C2`."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(21))}"
