"""Parses TwiML like Twilio: XML becomes a document of verbs, or an error with Twilio's code.

Twilio's own library defines which elements and attributes exist. Those that this simulation does not support raise an
error, so that they are not ignored silently. Unknown ones are skipped with a schema warning, as by Twilio.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

from twilio.twiml import lower_camel, voice_response

# The default; Twilio can raise an account's limit to 24 hours.
LONGEST_CALL_S = 14_400
CALL_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
CONFERENCE_EVENTS = frozenset({"join", "leave"})
EVENTS_NOT_SIMULATED = frozenset({"start", "end", "mute", "hold", "modify", "speaker", "announcement"})


class ApplicationError(Exception):
    """The application's answer is unusable; `code` is Twilio's error code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class NotSimulatedError(Exception):
    """The application uses something that Twilio supports and this simulation does not."""


@dataclass(frozen=True)
class Say:
    """Speaks a text."""

    text: str
    language: str = "en-US"


@dataclass(frozen=True)
class Pause:
    """Waits silently."""

    length_s: int = 1


@dataclass(frozen=True)
class Gather:
    """Collects keys during the prompt, and for `timeout_s` after it and after each key; # ends the input.

    `num_digits` None means any number. `action` None means the document's URL.
    """

    prompt: tuple[Say, ...] = ()
    num_digits: int | None = None
    timeout_s: int = 5
    action: str | None = None
    method: str = "POST"


@dataclass(frozen=True)
class Stream:
    """The noun of <Connect>: a two-way media stream."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Connect:
    """Connects the call to a stream; afterwards `action`, if any, gives the next document."""

    stream: Stream
    action: str | None = None
    method: str = "POST"


@dataclass(frozen=True)
class StatusCallback:
    """The URL for status callbacks (None: none are sent), and their events, named as in TwiML and REST."""

    url: str | None = None
    method: str = "POST"
    events: frozenset[str] = frozenset()


NOBODY = StatusCallback()


@dataclass(frozen=True)
class Number:
    """A noun of <Dial>: a phone to ring."""

    number: str
    status: StatusCallback = NOBODY


@dataclass(frozen=True)
class Conference:
    """A noun of <Dial>: a conference by name; participants hear music until it starts."""

    name: str
    starts_on_enter: bool = True
    ends_on_exit: bool = False
    label: str = ""
    status: StatusCallback = NOBODY


@dataclass(frozen=True)
class Dial:
    """Connects the call to a phone or a conference; afterwards `action`, if any, gives the next document."""

    noun: Number | Conference
    action: str | None = None
    method: str = "POST"
    timeout_s: int = 30
    time_limit_s: int = LONGEST_CALL_S
    caller_id: str | None = None
    answer_on_bridge: bool = False


@dataclass(frozen=True)
class Redirect:
    """Goes on with the document at a URL."""

    url: str
    method: str = "POST"


@dataclass(frozen=True)
class Hangup:
    """Ends the call."""


@dataclass(frozen=True)
class Reject:
    """Rejects the call without answering it, if it is the first verb."""

    reason: str = "rejected"


Verb = Say | Pause | Gather | Connect | Dial | Redirect | Hangup | Reject


@dataclass(frozen=True)
class Document:
    """A TwiML document: its verbs, its URL (None if it came in a REST call), and schema warnings."""

    verbs: tuple[Verb, ...]
    url: str | None = None
    warnings: tuple[str, ...] = ()

    def resolve(self, url: str) -> str:
        """Resolves `url` against the document's; raises ApplicationError 15004 for a relative one without a base."""
        if self.url is None and not urlsplit(url).scheme:
            raise ApplicationError(15004, f"TwiML from a REST call needs absolute URLs, not {url!r}")
        return urljoin(self.url or "", url)


def describe(verb: Verb) -> str:
    """A short description of a verb, without the secrets that <Parameter> may hold."""
    match verb:
        case Say(text=text):
            return text
        case Pause(length_s=seconds):
            return f"{seconds} s"
        case Redirect(url=url) | Connect(stream=Stream(url=url)):
            return url
        case Dial(noun=Number(number=number)):
            return number
        case Dial(noun=Conference(name=name)):
            return f"conference {name}"
        case _:
            return ""


def parse(text: str | bytes, url: str | None = None) -> Document:
    """Parses a document. Raises ApplicationError 12100 for invalid XML or no <Response>, and NotSimulatedError."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 -- our own application's document, of bounded size
    except ElementTree.ParseError as error:
        raise ApplicationError(12100, f"the document is not well-formed XML: {error}") from error
    if root.tag != "Response":
        raise ApplicationError(12100, f"the root element is <{root.tag}>; it must be <Response>")
    response = _Element(root, [])
    return Document(tuple(response.children(_VERBS)), url, tuple(response.warnings))


_T = TypeVar("_T")
_Readers = Mapping[str, Callable[["_Element"], _T]]


class _Element:
    """An element being parsed. `take` and the methods below it record which attributes are simulated."""

    def __init__(self, xml: ElementTree.Element, warnings: list[str]) -> None:
        self.warnings = warnings
        self._xml = xml
        self._taken: set[str] = set()

    @property
    def text(self) -> str:
        """All its text, with single spaces."""
        return " ".join("".join(self._xml.itertext()).split())

    def children(self, readers: _Readers[_T]) -> list[_T]:
        """Its children, each parsed by the reader for its tag."""
        return [read for child in self._xml for read in self._read(child, readers)]

    def only_child(self, readers: _Readers[_T]) -> _T:
        """Its only child."""
        read = self.children(readers)
        if len(read) != 1:
            raise NotSimulatedError(f"<{self._xml.tag}> is simulated with one {_tags(readers)} in it, not {len(read)}")
        return read[0]

    def _read(self, child: ElementTree.Element, readers: _Readers[_T]) -> list[_T]:
        known = _attributes(self._xml.tag, child.tag)
        if known is None:
            self.warnings.append(f"<{child.tag}> is not allowed in <{self._xml.tag}>")
            return []
        if child.tag not in readers:
            raise NotSimulatedError(f"<{child.tag}> in <{self._xml.tag}> is not simulated; these are: {_tags(readers)}")
        element = _Element(child, self.warnings)
        read = readers[child.tag](element)
        for name in child.attrib.keys() - element._taken:
            if name in known:
                raise NotSimulatedError(f"the attribute {name} of <{child.tag}> is not simulated")
            self.warnings.append(f"<{child.tag}> has no attribute {name}")
        return [read]

    def take(self, name: str) -> str | None:
        """The value of an attribute."""
        self._taken.add(name)
        return self._xml.get(name)

    def method(self, name: str = "method") -> str:
        """The HTTP method in an attribute."""
        return (self.take(name) or "POST").upper()

    def flag(self, name: str, *, default: bool) -> bool:
        """A true or false attribute; other values give a warning and the default."""
        value = self.take(name) or str(default).lower()
        if value not in {"true", "false"}:
            self.warnings.append(f"{name} of <{self._xml.tag}> is {value!r}; it must be true or false")
            return default
        return value == "true"

    def whole(self, name: str, default: int, *, at_most: int | None = None) -> int:
        """An attribute that is a whole number above 0; other values give a warning and the default."""
        value = self.take(name)
        if value is None:
            return default
        if value.isascii() and value.isdigit() and 0 < int(value) <= (at_most or int(value)):
            return int(value)
        allowed = f"from 1 to {at_most}" if at_most else "above 0"
        self.warnings.append(f"{name} of <{self._xml.tag}> is {value!r}; it must be a whole number {allowed}")
        return default

    def status(self, known: frozenset[str], default: frozenset[str]) -> StatusCallback:
        """The status callback; if no events are named, for the `default` ones."""
        events = frozenset((self.take("statusCallbackEvent") or "").split())
        if missing := events & EVENTS_NOT_SIMULATED:
            raise NotSimulatedError(f"the events {sorted(missing)} of <{self._xml.tag}> are not simulated")
        if events - known:
            unknown = sorted(events - known)
            self.warnings.append(f"<{self._xml.tag}> has no events {unknown}; there are {sorted(known)}")
        return StatusCallback(
            self.take("statusCallback"), self.method("statusCallbackMethod"), events & known or default
        )


def _attributes(parent: str, tag: str) -> frozenset[str] | None:
    """The attributes that Twilio's library has for a <tag> in a <parent>; None if it has no such element."""
    writer = getattr(voice_response, "VoiceResponse" if parent == "Response" else parent)
    method = vars(writer).get(tag.lower())
    if method is None or not hasattr(voice_response, tag):
        return None
    return frozenset(lower_camel(name) for name in inspect.signature(method).parameters)


def _tags(readers: Mapping[str, Any]) -> str:
    return ", ".join(f"<{tag}>" for tag in sorted(readers))


def _say(element: _Element) -> Say:
    element.take("voice")  # ignored: there is only one voice
    return Say(element.text, element.take("language") or "en-US")


def _gather(element: _Element) -> Gather:
    return Gather(
        tuple(element.children({"Say": _say})),
        element.whole("numDigits", 0) or None,
        element.whole("timeout", 5),
        element.take("action"),
        element.method(),
    )


def _connect(element: _Element) -> Connect:
    return Connect(element.only_child({"Stream": _stream}), element.take("action"), element.method())


def _stream(element: _Element) -> Stream:
    return Stream(element.take("url") or "", dict(element.children({"Parameter": _parameter})))


def _parameter(element: _Element) -> tuple[str, str]:
    return element.take("name") or "", element.take("value") or ""


def _dial(element: _Element) -> Dial:
    nouns: _Readers[Number | Conference] = {"Number": _number, "Conference": _conference}
    return Dial(
        element.only_child(nouns),
        element.take("action"),
        element.method(),
        element.whole("timeout", 30),
        element.whole("timeLimit", LONGEST_CALL_S, at_most=LONGEST_CALL_S),
        element.take("callerId"),
        element.flag("answerOnBridge", default=False),
    )


def _number(element: _Element) -> Number:
    # Without named events, only the call's end is reported (Twilio, "TwiML Voice: <Number>").
    return Number(element.text, element.status(CALL_EVENTS, frozenset({"completed"})))


def _conference(element: _Element) -> Conference:
    if element.take("beep") != "false":
        raise NotSimulatedError('<Conference> is simulated with beep="false" only; by default Twilio beeps')
    return Conference(
        element.text,
        element.flag("startConferenceOnEnter", default=True),
        element.flag("endConferenceOnExit", default=False),
        element.take("participantLabel") or "",
        element.status(CONFERENCE_EVENTS, frozenset()),
    )


_VERBS: _Readers[Verb] = {
    "Say": _say,
    "Pause": lambda element: Pause(element.whole("length", 1)),
    "Gather": _gather,
    "Connect": _connect,
    "Dial": _dial,
    "Redirect": lambda element: Redirect(element.text, element.method()),
    "Hangup": lambda _element: Hangup(),
    "Reject": lambda element: Reject(element.take("reason") or "rejected"),
}
