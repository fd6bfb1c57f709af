"""Removes characters from foreign text that break XML, hide words or reverse their order.

Callers, the model and other programs may send any character. XML 1.0 forbids control characters, surrogates, U+FFFE and
U+FFFF; TwiML with one of them is not read out. Bidirectional controls and invisible characters make a person read
something else than the text contains.
"""

import re
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

CUT = "..."  # not the single character, which would make an SMS use Unicode

# Invisible characters that `str.isprintable` counts as printable: Unicode's variation selectors, fillers and other
# Default_Ignorable_Code_Point, and the empty Braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

Value = TypeVar("Value")


def plain(text: str) -> str:
    """The text with visible characters, spaces and line breaks only. Idempotent."""
    if text.isascii() and text.isprintable():
        return text
    kept = (_kept(character) for character in text.replace("\r\n", "\n").replace("\r", "\n"))
    return _INVISIBLE.sub("", "".join(kept))


def plain_line(text: str) -> str:
    """The text as `plain` returns it, on one line, with single spaces and none at the ends."""
    return " ".join(plain(text).split())


def plain_all(value: Any) -> Any:
    """A JSON value with `plain` applied to every text in it, keys included."""
    match value:
        case str():
            return plain(value)
        case dict():
            return {plain_all(key): plain_all(each) for key, each in value.items()}
        case list():
            return [plain_all(each) for each in value]
        case _:
            return value


def shortened(text: str, length: int) -> str:
    """The text, cut to `length` characters with "..." at its end if it is longer."""
    return text if len(text) <= length else text[: max(0, length - len(CUT))].rstrip() + CUT


def bounded(length: int) -> BeforeValidator:
    """A validator for a model's field: cuts a text to `length` characters instead of refusing it."""
    return BeforeValidator(lambda value: shortened(value, length) if isinstance(value, str) else value)


def _line(value: Value) -> Value | str:
    return plain_line(value) if isinstance(value, str) else value


# For a field of one line. In `Annotated`, length limits must come first, or pydantic reads them as limits of a list.
ONE_LINE = BeforeValidator(_line)
Line = Annotated[str, ONE_LINE]


def _kept(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if character.isspace() else ""
