"""One call, or one leg of a <Dial>: its phone, its state, and what can be done to it from outside.

What it does from its first document to its last is in `life`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol
from uuid import uuid4

import aiohttp

from local.twilio.conference import Room
from local.twilio.ears import Mixer
from local.twilio.exchange import Exchange
from local.twilio.person import Caller, Line
from local.twilio.phone import CallEndedError, Clock, Phone
from local.twilio.report import CallReport, EndedBy, Notice, Step, WebhookRequest
from local.twilio.twiml import NOBODY, ApplicationError, Document, StatusCallback
from local.twilio.webhook import SUCCESSES, Request, Webhooks, standard_fields, timestamp

STATUS_CALLBACK_ATTEMPTS = 2
SCRIPT_LIMIT_S = 5.0  # for a script to end once its call has
SIP_CODES = {"completed": 200, "busy": 486, "no-answer": 487, "failed": 404, "canceled": 487}


@dataclass(frozen=True)
class Setup:
    """What is known of a call before it is answered.

    `opening` is asked for the first document, or is it; a leg of a <Dial> has none. `fallback` is asked, with ErrorCode
    and ErrorUrl, when a webhook fails; `fields` replace, add or (None) leave out fields of every webhook; `limit_s`, in
    seconds of the call, ends it as Twilio's own time limit would; `watch` gets each step as it happens; `status` is
    told of the call's progress.
    """

    from_: str
    to: str
    opening: Request | Document | None
    direction: str = "inbound"
    parent_call_sid: str | None = None
    fallback: str | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
    limit_s: float = 600.0
    watch: Callable[[Step], None] = lambda _step: None
    status: StatusCallback = NOBODY


class Account(Protocol):
    """What a call uses of the account that it belongs to."""

    exchange: Exchange
    webhooks: Webhooks
    callbacks: "Callbacks"
    rooms: list[Room]
    numbers: frozenset[str] | None

    def place(self, setup: Setup, ring_for_s: float) -> "Call":
        """Rings a phone, as a call of its own."""


class Party:
    """One of two phones that are connected with each other: what it says is what the `other` one hears."""

    def __init__(self) -> None:
        self.ear = Mixer()
        self.other = self

    def caller_audio(self, frame: bytes) -> None:
        """Takes what is said, for the other."""
        self.other.ear.hear("other", frame)

    def digit(self, digit: str) -> None:
        """Keys are not for the other."""


class Call:
    """A call with a phone at its other end: that of the caller, or of whom Twilio calls.

    `caller` is the script of an inbound call; whoever picks up an outbound one brings theirs to `answer`. A leg of a
    <Dial> waits until it is `connected`, which gets its end of the connection.
    """

    def __init__(self, account: Account, setup: Setup, caller: Caller | None = None) -> None:
        self.sid = f"CA{uuid4().hex}"
        self.over = asyncio.Event()
        self.account = account
        self.setup = setup
        self.phone = Phone(Clock(account.exchange.speed))
        self.report = CallReport(self.sid, setup.from_, setup.to, setup.direction, setup.parent_call_sid)
        self.connected = asyncio.Future[Party]()
        self.parting: Request | None = None
        self.fallback_left = setup.fallback is not None
        self.interrupts: asyncio.Queue[Request | Document | None] = asyncio.Queue()
        self._script: Caller | None = caller
        self._running: asyncio.Task[None] | None = None
        self._told = 0

    @property
    def answered(self) -> bool:
        """Whether the other end has picked up: Twilio, or whom it called."""
        return self.report.answered_at_ms is not None

    @property
    def in_progress(self) -> bool:
        """Whether the call has not ended."""
        return self.report.ended_at_ms is None

    @property
    def is_leg(self) -> bool:
        """Whether it belongs to a <Dial>."""
        return self.setup.direction == "outbound-dial"

    @property
    def inbound(self) -> bool:
        """Whether somebody called Twilio."""
        return self.setup.direction == "inbound"

    def answer(self, script: Caller | None = None) -> None:
        """The call is answered, once; the script of the phone's owner begins."""
        if self.answered or not self.in_progress:
            return
        self._script = script or self._script
        self.report.answered_at_ms = self.phone.now_ms
        self.report.status = "in-progress"
        self.note("answered")
        self.tell("answered")
        self._running = asyncio.create_task(self._run_script())

    def end(self, by: EndedBy, status: str = "completed") -> None:
        """Ends the call, once; what is being performed stops."""
        if not self.in_progress:
            return
        self.report.ended_by, self.report.status = by, status
        self.report.ended_at_ms = self.phone.now_ms
        self.note("ended", by)
        self.phone.hang_up()
        self.interrupts.put_nowait(None)
        self.tell("completed")

    def replace(self, document: Request | Document) -> None:
        """Puts another document in the place of what is being performed, as a REST update does."""
        self.note("updated by REST")
        self.interrupts.put_nowait(document)

    def note(self, what: str, detail: str = "") -> None:
        """Adds a step to the report, and shows it to whoever watches."""
        step = Step(self.phone.now_ms, what, detail)
        self.report.steps.append(step)
        self.setup.watch(step)

    def warn(self, code: int, text: str) -> None:
        """Adds an error or a warning to the report."""
        self.report.warnings.append(Notice(self.phone.now_ms, code, text))
        self.note("warning", f"{code} {text}")

    def fields(self) -> dict[str, str]:
        """The fields of a webhook, as the call is now."""
        return standard_fields(self.account.exchange.account_sid, self.report, self.setup.fields)

    def tell(self, event: str) -> None:
        """Sends the status callback of an event in the call's progress, if it is wanted."""
        if event not in self.setup.status.events:
            return
        fields = {"CallbackSource": "call-progress-events", "SequenceNumber": str(self._told), "Timestamp": timestamp()}
        self._told += 1
        if event == "completed":
            talked_s = self.report.talked_s
            fields |= {"CallDuration": str(talked_s), "Duration": str(-(-talked_s // 60))}
            fields["SipResponseCode"] = str(SIP_CODES[self.report.status])
        self.send(self.setup.status, self.fields() | fields)

    def send(self, callback: StatusCallback, fields: Mapping[str, str]) -> None:
        """Sends a status callback about this call; what comes of it is in the report."""
        self.account.callbacks.send(self, callback, fields)

    async def finish(self) -> None:
        """Lets the script end, or cuts it off, and raises what it raised; nothing happens in this call any more."""
        self.report.heard, self.report.spoken = bytes(self.phone.heard), bytes(self.phone.spoken)
        await self._end_script()
        self.over.set()
        if self._running is not None and not self._running.cancelled():
            self._running.result()

    async def _run_script(self) -> None:
        by = EndedBy.CALLER if self.inbound else EndedBy.CALLEE
        line = Line(self.phone, hang_up=lambda: self.end(by), note=self.note)
        try:
            if self._script is not None:
                await self._script.run(line)
        except CallEndedError:
            return
        except BaseException:
            self.end(by)  # whoever drops the phone has hung up; `finish` raises the reason
            raise

    async def _end_script(self) -> None:
        if self._running is None:
            return
        await asyncio.wait({self._running}, timeout=SCRIPT_LIMIT_S)
        if not self._running.done():
            self.note("script cut off", f"it ran on for {SCRIPT_LIMIT_S:.0f} s after the call")
            self._running.cancel()
            await asyncio.wait({self._running})


@dataclass
class Loss:
    """The next `times` status callbacks to a URL with `path` in it never arrive; with a `call_sid`, those about it."""

    path: str
    call_sid: str | None = None
    times: int = 1


class Callbacks:
    """The status callbacks of one simulated Twilio, each on its way by itself. `losses` are those still to happen.

    No call waits for an answer to one, and what is answered has no meaning. A connection that fails is tried once more,
    as Twilio does unless told otherwise; an error that is answered is not, and is reported (error 15003).
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self.losses: list[Loss] = []
        self.under_way: set[asyncio.Task[None]] = set()
        self._webhooks = webhooks

    def send(self, call: Call, callback: StatusCallback, fields: Mapping[str, str]) -> None:
        """Sends one about a call, if there is a URL to send it to."""
        if callback.url is None:
            return
        sent = WebhookRequest(call.phone.now_ms, callback.method, callback.url, fields, None, 0.0)
        if self._is_lost(sent):
            call.report.callbacks.append(sent)
            return
        sending = asyncio.create_task(self._send(call, sent))
        self.under_way.add(sending)
        sending.add_done_callback(self.under_way.discard)

    def _is_lost(self, sent: WebhookRequest) -> bool:
        for loss in self.losses:
            if loss.times > 0 and loss.path in sent.url and loss.call_sid in (None, sent.fields.get("CallSid")):
                loss.times -= 1
                return True
        return False

    async def settled(self) -> None:
        """Waits until none is on its way."""
        while self.under_way:
            await asyncio.wait(self.under_way)

    async def _send(self, call: Call, sent: WebhookRequest) -> None:
        for attempt in range(1, STATUS_CALLBACK_ATTEMPTS + 1):
            began, status = monotonic(), None
            try:
                status = (await self._webhooks.fetch(sent.url, sent.method, sent.fields)).status
            except ApplicationError as error:
                if isinstance(error.__cause__, aiohttp.ClientConnectorError) and attempt < STATUS_CALLBACK_ATTEMPTS:
                    continue
                call.warn(error.code, error.reason)
            finally:
                took_ms = (monotonic() - began) * 1000
                call.report.callbacks.append(replace(sent, status=status, took_ms=took_ms))
            if status is not None and status not in SUCCESSES:
                call.warn(15003, f"the status callback {sent.url} answered {status}")
            return
