"""The report of a call: what happened, when, and what each side actually heard. Times are ms from its start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil

from local.audio.speech import first_sound, longest_silence, milliseconds


class EndedBy(StrEnum):
    """Who or what ended a call."""

    CALLER = "caller"
    CALLEE = "callee"
    NOT_REACHED = "nobody answered"  # no answer, line busy, or no such number
    OTHER_PARTY = "the other party"  # of a <Dial>
    APPLICATION = "application"  # <Hangup>, <Reject>, or no verb left
    REST = "rest"
    APPLICATION_ERROR = "application error"
    TIME_LIMIT = "time limit"
    CLOSED = "the simulation was closed"


@dataclass(frozen=True)
class Notice:
    """An error or a warning as in Twilio's debugger, with Twilio's code."""

    at_ms: float
    code: int
    text: str


@dataclass(frozen=True)
class Step:
    """An event in a call: a verb's start, a stream's event, a digit, the end."""

    at_ms: float
    what: str
    detail: str = ""


@dataclass(frozen=True)
class WebhookRequest:
    """One request with its answer; `status` is None if no answer came."""

    at_ms: float
    method: str
    url: str
    fields: Mapping[str, str]
    status: int | None
    took_ms: float


@dataclass
class MediaReceived:
    """One media message from the application, and how much of it the caller heard."""

    at_ms: float
    size: int
    heard: int = 0
    first_heard_at_ms: float | None = None

    @property
    def size_ms(self) -> float:
        """Length of its audio, in ms."""
        return milliseconds(self.size)

    @property
    def heard_ms(self) -> float:
        """How much of it was played before a clear or the stream's end dropped the rest, in ms."""
        return milliseconds(self.heard)


@dataclass
class MarkReceived:
    """One mark from the application; `cut` if a clear sent it back, which does not prove that its audio was heard."""

    at_ms: float
    name: str
    echoed_at_ms: float | None = None
    cut: bool = False


@dataclass(frozen=True)
class ClearReceived:
    """One clear from the application, and how much audio it dropped, in ms."""

    at_ms: float
    dropped_ms: float


Received = MediaReceived | MarkReceived | ClearReceived


@dataclass
class StreamReport:
    """One media stream. `received` has the application's messages in order of arrival."""

    stream_sid: str
    url: str
    parameters: Mapping[str, str]
    started_at_ms: float | None = None
    ended_at_ms: float | None = None
    close_code: int | None = None
    received: list[Received] = field(default_factory=list)

    @property
    def media(self) -> list[MediaReceived]:
        """The media messages."""
        return [entry for entry in self.received if isinstance(entry, MediaReceived)]

    @property
    def marks(self) -> list[MarkReceived]:
        """The marks."""
        return [entry for entry in self.received if isinstance(entry, MarkReceived)]

    @property
    def clears(self) -> list[ClearReceived]:
        """The clears."""
        return [entry for entry in self.received if isinstance(entry, ClearReceived)]

    @property
    def first_audio_ms(self) -> float | None:
        """From the stream's start until the caller heard the application's first audio, in ms."""
        heard = [entry.first_heard_at_ms for entry in self.media if entry.first_heard_at_ms is not None]
        return min(heard) - self.started_at_ms if heard and self.started_at_ms is not None else None

    @property
    def last_audio_ms(self) -> float | None:
        """When the application's last audio that the caller heard ended, in ms of the call."""
        ends = [entry.first_heard_at_ms + entry.heard_ms for entry in self.media if entry.first_heard_at_ms is not None]
        return max(ends, default=None)


@dataclass
class Visit:
    """One call's stay in a conference, in ms on the timeline of its `heard` audio.

    It heard hold music until `started_at_ms`; `first_voice_at_ms` is when it first heard another participant.
    """

    conference_sid: str
    name: str
    label: str
    joined_at_ms: float
    started_at_ms: float | None = None
    first_voice_at_ms: float | None = None
    left_at_ms: float | None = None
    why_left: str = ""


@dataclass
class CallReport:
    """One call, or one leg of a <Dial>. `heard` and `spoken` are mu-law of equal length, aligned, from the call's start
    (`began_at`) to its end.
    """

    call_sid: str
    from_: str
    to: str
    direction: str = "inbound"
    parent_call_sid: str | None = None
    status: str = "ringing"
    ended_by: EndedBy | None = None
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    answered_at_ms: float | None = None
    ended_at_ms: float | None = None
    heard: bytes = b""
    spoken: bytes = b""
    said: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    requests: list[WebhookRequest] = field(default_factory=list)
    callbacks: list[WebhookRequest] = field(default_factory=list)
    streams: list[StreamReport] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    @property
    def first_audio_ms(self) -> float | None:
        """`first_audio_ms` of the first stream whose audio was heard."""
        times = (stream.first_audio_ms for stream in self.streams)
        return next((time for time in times if time is not None), None)

    @property
    def codes(self) -> Sequence[int]:
        """The codes of all errors and warnings, in order."""
        return [notice.code for notice in self.warnings]

    @property
    def talked_s(self) -> int:
        """How long the call lasted from its answer, in seconds rounded up, as Twilio counts."""
        if self.answered_at_ms is None or self.ended_at_ms is None:
            return 0
        return ceil((self.ended_at_ms - self.answered_at_ms) / 1000)

    def longest_silence_ms(self, after_ms: float | None = None, before_ms: float | None = None) -> float:
        """The longest silence that this phone heard between two moments (default: the call's answer and its end).

        Hold music and ringing are not silence. Works only after the call, when `heard` is known.
        """
        return longest_silence(self.heard, after_ms if after_ms is not None else self.answered_at_ms or 0, before_ms)

    def first_sound_ms(self, after_ms: float = 0) -> float | None:
        """When this phone first heard anything after `after_ms`, in ms of the call; None if never."""
        return first_sound(self.heard, after_ms)
