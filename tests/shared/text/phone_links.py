"""Finds text that a phone may turn into a link, broadly: any top-level domain, whatever stands around it."""

import re

# Modelled on Android's Patterns.java and Apple's data detectors; each of them finds less.
_LINKS = (
    re.compile(r"[a-z][a-z0-9+.\-]*://[^\s/\[\]]*[a-z0-9]", re.IGNORECASE),
    re.compile(
        r"(https?|rtsp|ftp|tel|sips?|sms|smsto|mms|mailto|javascript|data|facetime|geo|whatsapp):[^\s\"']",
        re.IGNORECASE,
    ),
    re.compile(r"www\.\w", re.IGNORECASE),
    re.compile(r"[^\s.\[\]()<>,;:\"']\.(?:[a-z]|[^\W\d_]){2,}", re.IGNORECASE),  # name.tld
    re.compile(r"\w\.xn--", re.IGNORECASE),
    re.compile(r"\d{1,3}(\.\d{1,3}){3}"),
    re.compile(r"[\w.+\-]@[\w\-]"),
    re.compile(r"\w\u3002\w"),
)
# A defanged link has an unknown scheme, which makes it harmless.
_HARMLESS = re.compile(r"hxxps?://", re.IGNORECASE)


def links_in(text: str) -> list[str]:
    """All parts of a text that might become a link."""
    left = _HARMLESS.sub("", text)
    return [found[0] for pattern in _LINKS for found in pattern.finditer(left)]
