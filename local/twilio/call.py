"""One call, or one leg of a <Dial>: its phone, its state, and what can be done to it from outside.

How it runs, from its first document to its last, is in `lifecycle`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol
from uuid import uuid4

import aiohttp

from local.twilio.ears import Mixer
from local.twilio.exchange import Exchange
from local.twilio.person import Caller, Line
from local.twilio.phone import CallEndedError, Clock, Phone
from local.twilio.report import CallReport, EndedBy, Notice, Step, WebhookRequest
from local.twilio.room import Room
from local.twilio.twiml import NOBODY, ApplicationError, Document, StatusCallback
from local.twilio.webhook import SUCCESSES, Request, Webhooks, standard_fields, timestamp

STATUS_CALLBACK_ATTEMPTS = 2
SCRIPT_LIMIT_S = 5.0  # for a script to end after its call
SIP_CODES = {"completed": 200, "busy": 486, "no-answer": 487, "failed": 404, "canceled": 487}


@dataclass(frozen=True)
class Setup:
    """A call's properties, known before it is answered.

    `opening` is the first document or the request for it; a leg of a <Dial> has none. `fallback` is requested, with
    ErrorCode and ErrorUrl, after a webhook has failed. `fields` replace, add or (None) remove fields of every webhook.
    After `limit_s` seconds the call ends, as at Twilio's time limit. `watch` gets each step as it happens; `status`
    gets the call's progress events.
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
    """The part of its account that a call uses."""

    exchange: Exchange
    webhooks: Webhooks
    callbacks: "Callbacks"
    rooms: list[Room]
    numbers: frozenset[str] | None

    def place(self, setup: Setup, ring_for_s: float) -> "Call":
        """Starts an outbound call."""


class Party:
    """One of two connected phones: the `other` one hears what this one says."""

    def __init__(self) -> None:
        self.ear = Mixer()
        self.other = self

    def caller_audio(self, frame: bytes) -> None:
        """Passes what is said to the other phone."""
        self.other.ear.hear("other", frame)

    def digit(self, digit: str) -> None:
        """Ignores keys."""


class Call:
    """A call with a phone at its other end: that of the caller, or of the person whom Twilio calls.

    `caller` is the script of an inbound call; an outbound call gets its script in `answer`. A leg of a <Dial> waits
    for `connected`, which is set to its end of the connection.
    """

    def __init__(self, account: Account, setup: Setup, caller: Caller | None = None) -> None:
        self.sid = f"CA{uuid4().hex}"
        self.over = asyncio.Event()
        self.account = account
        self.setup = setup
        self.phone = Phone(Clock(account.exchange.speed))
        self.report = CallReport(self.sid, setup.from_, setup.to, setup.direction, setup.parent_call_sid)
        self.connected = asyncio.Future[Party]()
        self.last_request: Request | None = None
        self.fallback_left = setup.fallback is not None
        self.interrupts: asyncio.Queue[Request | Document | None] = asyncio.Queue()
        self._script: Caller | None = caller
        self._running: asyncio.Task[None] | None = None
        self._sent = 0

    @property
    def account_sid(self) -> str:
        """The account that the call belongs to."""
        return self.account.exchange.account_sid

    @property
    def answered(self) -> bool:
        """Whether the called side (Twilio, or the person whom it calls) has picked up."""
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
        """Whether the call came in to Twilio."""
        return self.setup.direction == "inbound"

    def answer(self, script: Caller | None = None) -> None:
        """Answers the call and starts the script; does nothing if it is answered already."""
        if self.answered or not self.in_progress:
            return
        self._script = script or self._script
        self.report.answered_at_ms = self.phone.now_ms
        self.report.status = "in-progress"
        self.note("answered")
        self.tell("answered")
        self._running = asyncio.create_task(self._run_script())

    def end(self, by: EndedBy, status: str = "completed") -> None:
        """Ends the call and stops the current verb; does nothing if it has ended already."""
        if not self.in_progress:
            return
        self.report.ended_by, self.report.status = by, status
        self.report.ended_at_ms = self.phone.now_ms
        self.note("ended", by)
        self.phone.hang_up()
        self.interrupts.put_nowait(None)
        self.tell("completed")

    def replace(self, document: Request | Document) -> None:
        """Replaces the current document, as a REST update does."""
        self.note("updated by REST")
        self.interrupts.put_nowait(document)

    def note(self, what: str, detail: str = "") -> None:
        """Adds a step to the report, and passes it to `watch`."""
        step = Step(self.phone.now_ms, what, detail)
        self.report.steps.append(step)
        self.setup.watch(step)

    def warn(self, code: int, text: str) -> None:
        """Adds an error or a warning to the report."""
        self.report.warnings.append(Notice(self.phone.now_ms, code, text))
        self.note("warning", f"{code} {text}")

    def fields(self) -> dict[str, str]:
        """The webhook fields for the call's current state."""
        return standard_fields(self.account.exchange.account_sid, self.report, self.setup.fields)

    def tell(self, event: str) -> None:
        """Sends the status callback of a progress event, if the call has asked for it."""
        if event not in self.setup.status.events:
            return
        fields = {"CallbackSource": "call-progress-events", "SequenceNumber": str(self._sent), "Timestamp": timestamp()}
        self._sent += 1
        if event == "completed":
            talked_s = self.report.talked_s
            fields |= {"CallDuration": str(talked_s), "Duration": str(-(-talked_s // 60))}
            fields["SipResponseCode"] = str(SIP_CODES[self.report.status])
        self.send(self.setup.status, self.fields() | fields)

    def send(self, callback: StatusCallback, fields: Mapping[str, str]) -> None:
        """Sends a status callback about this call; its result is in the report."""
        self.account.callbacks.send(self, callback, fields)

    async def finish(self) -> None:
        """Waits for the script to end, or cancels it, and raises its error; nothing happens in the call after that."""
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
            self.end(by)  # a script that fails hangs up; `finish` raises its error
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
    """Loses the next `times` status callbacks to URLs that contain `path`; with a `call_sid`, only those about it."""

    path: str
    call_sid: str | None = None
    times: int = 1


class Callbacks:
    """The status callbacks of one simulated Twilio, each sent in its own task. `losses` have yet to happen.

    No call waits for an answer, and its content is ignored. A failed connection is retried once, as by Twilio's
    default; an HTTP error is not retried, but reported (error 15003).
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self.losses: list[Loss] = []
        self.under_way: set[asyncio.Task[None]] = set()
        self._webhooks = webhooks

    def send(self, call: Call, callback: StatusCallback, fields: Mapping[str, str]) -> None:
        """Sends a callback about a call, if it has a URL."""
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
        """Waits until all callbacks are sent."""
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
