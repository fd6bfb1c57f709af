"""Text that others wrote, without the characters that break XML, hide words or turn their order around.

Callers, the model and other programs may send any character. XML 1.0 knows no control characters, no surrogates and
neither U+FFFE nor U+FFFF, and a phone that gets such TwiML reads nothing out. Bidirectional controls and invisible
characters make a person read something else than what is there.
"""

import re
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

CUT = "..."  # three dots rather than the one character, which no SMS alphabet but Unicode has

# They show nothing, and `str.isprintable` counts them as printable all the same: Unicode's variation selectors, fillers
# and other Default_Ignorable_Code_Point, and the empty Braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

Value = TypeVar("Value")


def plain(text: str) -> str:
    """The text with nothing but characters that show, spaces and line breaks. The same again changes nothing."""
    if text.isascii() and text.isprintable():
        return text
    kept = (_kept(character) for character in text.replace("\r\n", "\n").replace("\r", "\n"))
    return _INVISIBLE.sub("", "".join(kept))


def plain_line(text: str) -> str:
    """The text as `plain` gives it, on one line, with single spaces and none at its ends."""
    return " ".join(plain(text).split())


def plain_all(value: Any) -> Any:
    """A value of JSON with every text in it as `plain` gives it; anything else is left as it is."""
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
    """The text, cut with a mark if it has more characters than `length`."""
    return text if len(text) <= length else text[: max(0, length - len(CUT))].rstrip() + CUT


def bounded(length: int) -> BeforeValidator:
    """For a field of a model: a text is cut rather than refused."""
    return BeforeValidator(lambda value: shortened(value, length) if isinstance(value, str) else value)


def _line(value: Value) -> Value | str:
    return plain_line(value) if isinstance(value, str) else value


# For a field of one line. Limits of its length stand before it, or pydantic takes them for those of a list.
ONE_LINE = BeforeValidator(_line)
Line = Annotated[str, ONE_LINE]


def _kept(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if character.isspace() else ""
