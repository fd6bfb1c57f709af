"""The TwiML that a call can follow: a document and its verbs, and the two ways in which one can be unusable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from local.twilio.twiml_schema import LONGEST_CALL_S


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
class Gather:
    """Collects keys while the verbs in it are performed, and for `timeout_s` after them and after each key.

    `num_digits` None means any number; `finish_on_key` may be empty. `action` None means the document's own URL.
    """

    prompt: tuple[Say | Play | Pause, ...] = ()
    num_digits: int | None = None
    timeout_s: int = 5
    finish_on_key: str = "#"
    action: str | None = None
    method: str = "POST"
    action_on_empty_result: bool = False


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
class StatusCallback:
    """Who is told of which events, by the names that TwiML and REST have for them; nobody, without a URL."""

    url: str | None = None
    method: str = "POST"
    events: frozenset[str] = frozenset()


NOBODY = StatusCallback()


@dataclass(frozen=True)
class Number:
    """A noun of <Dial>: a phone to ring. The document at `url` is followed there before the two are connected."""

    number: str
    url: str | None = None
    method: str = "POST"
    status: StatusCallback = NOBODY


@dataclass(frozen=True)
class Conference:
    """A noun of <Dial>: a room by name. `wait_url` None means Twilio's own music, and "" silence."""

    name: str
    starts_on_enter: bool = True
    ends_on_exit: bool = False
    muted: bool = False
    beep: str = "true"
    label: str = ""
    wait_url: str | None = None
    wait_method: str = "POST"
    max_participants: int = 250
    status: StatusCallback = NOBODY


@dataclass(frozen=True)
class Dial:
    """Connects the call to a phone or a conference; `action`, if there is one, is asked what comes next."""

    noun: Number | Conference
    action: str | None = None
    method: str = "POST"
    timeout_s: int = 30
    time_limit_s: int = LONGEST_CALL_S
    caller_id: str | None = None
    answer_on_bridge: bool = False
    hangup_on_star: bool = False


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


Verb = Say | Pause | Play | Gather | Connect | Dial | Redirect | Hangup | Reject


@dataclass(frozen=True)
class Document:
    """A TwiML document: its verbs, the URL it came from (None when a REST call gave it), and schema warnings."""

    verbs: tuple[Verb, ...]
    url: str | None = None
    warnings: tuple[str, ...] = ()

    def resolve(self, url: str) -> str:
        """`url` as seen from this document; raises ApplicationError 15004 for a relative one without a base."""
        if self.url is None and not urlsplit(url).scheme:
            raise ApplicationError(15004, f"TwiML from a REST call needs absolute URLs, and this is none: {url!r}")
        return urljoin(self.url or "", url)


def describe(verb: Verb) -> str:
    """A verb's content in a few words, without the secrets that <Parameter> may hold."""
    match verb:
        case Say():
            return verb.text
        case Pause():
            return f"{verb.length_s} s"
        case Play() | Redirect():
            return verb.url
        case Gather():
            return f"{verb.num_digits or 'any'} digits"
        case Connect():
            return verb.stream.url
        case Dial(noun=Number(number=number)):
            return number
        case Dial(noun=Conference(name=name)):
            return f"conference {name}"
        case Reject():
            return verb.reason
        case _:
            return ""
