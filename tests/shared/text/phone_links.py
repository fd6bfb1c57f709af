"""What phones make links of, at their most eager: no list of top-level domains, no care for what stands around it."""

import re

# In the manner of Android's Patterns.java and Apple's data detectors, each of which finds less than this.
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
# An unknown scheme is what makes a defanged link harmless, so it is not counted.
_HARMLESS = re.compile(r"hxxps?://", re.IGNORECASE)


def links_in(text: str) -> list[str]:
    """Everything in a text that might become a link."""
    left = _HARMLESS.sub("", text)
    return [found[0] for pattern in _LINKS for found in pattern.finditer(left)]
