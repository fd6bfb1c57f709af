"""The TwiML that a call can follow: a document and its verbs, and the two ways in which one can be unusable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit


class ApplicationError(Exception):
    """The application's answer cannot be used; `code` is Twilio's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class NotSimulatedError(Exception):
    """The TwiML asks for something that Twilio can do and this simulation cannot yet."""


@dataclass(frozen=True)
class Say:
    """Speaks a text, `loop` times."""

    text: str
    language: str = "en-US"
    loop: int = 1


@dataclass(frozen=True)
class Pause:
    """Waits silently."""

    length_s: int = 1


@dataclass(frozen=True)
class Play:
    """Plays the audio found at a URL, `loop` times."""

    url: str
    loop: int = 1


@dataclass(frozen=True)
class Stream:
    """The noun of <Connect>: a two-way media stream."""

    url: str
    name: str = ""
    track: str = "inbound_track"
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Connect:
    """Connects the call to a stream; `action`, if there is one, is asked what comes next."""

    stream: Stream
    action: str | None = None
    method: str = "POST"


@dataclass(frozen=True)
class Redirect:
    """Goes on with the document found at a URL."""

    url: str
    method: str = "POST"


@dataclass(frozen=True)
class Hangup:
    """Ends the call."""


@dataclass(frozen=True)
class Reject:
    """Refuses the call without answering it, if it is the first verb."""

    reason: str = "rejected"


Verb = Say | Pause | Play | Connect | Redirect | Hangup | Reject


@dataclass(frozen=True)
class Document:
    """A TwiML document: its verbs, the URL it came from (None when a REST call gave it), and schema warnings."""

    verbs: tuple[Verb, ...]
    url: str | None = None
    warnings: tuple[str, ...] = ()

    def resolve(self, url: str) -> str:
        """`url` as seen from this document; raises ApplicationError 15004 for a relative one without a base."""
        if self.url is None and not urlsplit(url).scheme:
            raise ApplicationError(15004, f"TwiML from a call update needs absolute URLs, and this is none: {url!r}")
        return urljoin(self.url or "", url)
