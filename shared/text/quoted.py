"""Quotes text of callers and the model for people on call, without links that a phone would open.

An alert comes from the business's own number. A caller who makes the agent write "your desk link has expired, confirm
it at evil.example" must not put a link into it. So links, domains and mail addresses are defanged, as in security
reports: `https://evil.example/x` becomes `hxxps://evil[.]example/x`, which a person can read and no phone opens. In
ordinary text this adds at worst a pair of brackets where a full stop or a colon has no space after it.

Phone numbers stay: people need "room 214" and "order 5551234", which cannot be told from a phone number.
"""

import re
from typing import Final

from shared.text.plain import plain, plain_line, shortened

# Characters that some phones, browsers or Twilio's smart encoding treat as an ASCII character.
_LOOKALIKES: Final = str.maketrans(
    {chr(wide): chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}  # the full-width forms of ASCII
    | {"\u2024": ".", "\ufe52": ".", "\uff61": "\u3002"}  # one dot leader, small full stop, half-width ideographic one
    | {"\ufe55": ":", "\u2236": ":", "\ua789": ":", "\ufe6b": "@", "\u2044": "/", "\u2215": "/", "\u29f8": "/"}
)
# Quotation marks in quoted text could end the quotation, so that the rest seems to be our own words. Twilio's smart
# encoding and some fonts turn all of these into the straight one.
_QUOTATION_MARKS: Final = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u2036\u02ba\u02ee\u301d\u301e\u301f\u275d\u275e'
_QUOTES: Final = str.maketrans(dict.fromkeys(_QUOTATION_MARKS, "'"))

# What follows the dot of a domain: two characters or more, as in every top-level domain, and no digit first. So
# "10.30", "3.5 kg" and "e.g." keep their dots. Beyond ASCII: any character except the punctuation from U+2000.
_LETTER: Final = r"[A-Za-z\u00a1-\u1fff\u2070-\U0010ffff]"
_REST: Final = r"[A-Za-z0-9_\-\u00a1-\u1fff\u2070-\U0010ffff]"
_DOMAIN_DOT: Final = re.compile(rf"(?<=[^\s.])\.(?={_LETTER}{_REST})|(?<=www)\.(?=[^\s.])", re.IGNORECASE)
_IP_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_AT: Final = re.compile(r"(?<=[^\s\[])@(?=\S)")
_HTTP: Final = re.compile(r"(h)tt(ps?:)", re.IGNORECASE)
# With no space after the colon: `tel:+1...`, `sip:a@b`, `mailto:...`, `javascript:...`, or any other scheme.
_COLON: Final = re.compile(r"(?<=[A-Za-z0-9+.\-]):(?=\S)")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+\Z")
# How many characters before a colon are searched for its scheme. A search from the start of each word would take
# quadratic time in a long word.
_SCHEME_LENGTH: Final = 32
_SLASHES: Final = re.compile(r"(?<!hxxp)(?<!hxxps)://", re.IGNORECASE)
_DEFANGED_SCHEMES: Final = ("hxxp", "hxxps")
# Browsers treat the ideographic full stop as a dot. A space after it does not disturb a reader.
_IDEOGRAPHIC_STOP: Final = re.compile("\u3002(?=\\S)")


def defanged(text: str) -> str:
    """The text with nothing that a phone turns into a link. Idempotent."""
    text = text.translate(_LOOKALIKES)
    text = _IDEOGRAPHIC_STOP.sub("\u3002 ", text)
    text = _HTTP.sub(r"\1xx\2", text)
    text = _COLON.sub(_defanged_colon, _SLASHES.sub("[:]//", text))
    text = _DOMAIN_DOT.sub("[.]", text)
    text = _IP_ADDRESS.sub(lambda found: found[0].replace(".", "[.]"), text)
    return _AT.sub("[@]", text)


def _defanged_colon(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - _SCHEME_LENGTH) : found.start()]
    scheme = _SCHEME.search(before)
    return "[:]" if scheme and not scheme[0].lower().endswith(_DEFANGED_SCHEMES) else ":"


def shown(text: str) -> str:
    """Text of a caller or the model for a page, with its line breaks."""
    return defanged(plain(text))


def quoted(text: str, length: int) -> str:
    """Text of a caller or the model in quotation marks, on one line of at most `length` characters."""
    return f'"{shortened(said(text), length - 2)}"'


def said(text: str) -> str:
    """Text of a caller or the model on one line, to be put in quotation marks or spoken."""
    return defanged(plain_line(text)).translate(_QUOTES)
