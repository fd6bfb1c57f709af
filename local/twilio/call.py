"""One call, or one leg of a <Dial>: its phone, its state, and what can be done to it from outside.

What it does from its first document to its last is in `life`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from local.twilio.callbacks import Callbacks, timestamp
from local.twilio.clock import Clock
from local.twilio.conference import Conferences
from local.twilio.exchange import Exchange
from local.twilio.line import CallEndedError, Caller, Line
from local.twilio.mixer import Party
from local.twilio.phone import Phone
from local.twilio.report import CallReport, EndedBy, Notice, Step
from local.twilio.twiml import NOBODY, Document, StatusCallback
from local.twilio.webhook import Request, Webhooks
from local.twilio.webhook_fields import standard_fields

SCRIPT_LIMIT_S = 5.0  # for a script to end once its call has
SIP_CODES = {"completed": 200, "busy": 486, "no-answer": 487, "failed": 404, "canceled": 487}


@dataclass(frozen=True)
class Setup:
    """What is known of a call before it is answered.

    `opening` is asked for the first document, or makes it from the call's sid; a leg may have none. `fallback` is
    asked, with ErrorCode and ErrorUrl, when a webhook fails; `fields` replace, add or (None) leave out fields of every
    webhook; `limit_s`, in seconds of the call, ends it as Twilio's own time limit would; `watch` gets each step as it
    happens; `status` is told of the call's progress.
    """

    from_: str
    to: str
    opening: Request | Callable[[str], str] | Document | None
    direction: str = "inbound"
    parent_call_sid: str | None = None
    fallback: str | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
    limit_s: float = 600.0
    watch: Callable[[CallReport, Step], None] = lambda _report, _step: None
    status: StatusCallback = NOBODY


class Account(Protocol):
    """What a call uses of the account that it belongs to."""

    exchange: Exchange
    webhooks: Webhooks
    callbacks: Callbacks
    conferences: Conferences
    numbers: frozenset[str] | None

    def place(self, setup: Setup, ring_for_s: float) -> "Call":
        """Rings a phone, as a call of its own."""


class Call:
    """A call with a phone at its other end: that of the caller, or of whom Twilio calls.

    `caller` is the script of an inbound call; whoever picks up an outbound one brings theirs to `answer`. A leg of a
    <Dial> `waits` to be connected once its own document is done: `other_party` gets its end of the connection.
    """

    def __init__(self, account: Account, setup: Setup, caller: Caller | None = None) -> None:
        self.sid = f"CA{uuid4().hex}"
        self.created_at = datetime.now(UTC)
        self.ended = asyncio.Event()
        self.over = asyncio.Event()
        self.account = account
        self.setup = setup
        self.phone = Phone(Clock(account.exchange.speed))
        self.report = CallReport(self.sid, setup.from_, setup.to, setup.direction, setup.parent_call_sid)
        self.waits = False
        self.redirected = False
        self.other_party = asyncio.Future[Party]()
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
        return not self.ended.is_set()

    @property
    def is_leg(self) -> bool:
        """Whether it belongs to a <Dial>, and has not been sent elsewhere."""
        return self.setup.direction == "outbound-dial" and not self.redirected

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
        self.ended.set()
        self.phone.hang_up()
        self.interrupts.put_nowait(None)
        self.tell("completed")

    def replace(self, document: Request | Document) -> None:
        """Puts another document in the place of what is being performed, as a REST update does."""
        self.note("updated by REST")
        self.redirected = True
        self.interrupts.put_nowait(document)

    def note(self, what: str, detail: str = "") -> None:
        """Adds a step to the report, and shows it to whoever watches."""
        step = Step(self.phone.now_ms, what, detail)
        self.report.steps.append(step)
        self.setup.watch(self.report, step)

    def warn(self, code: int, text: str) -> None:
        """Adds an error or a warning to the report."""
        self.report.warnings.append(Notice(self.phone.now_ms, code, text))
        self.note("warning", f"{code} {text}")

    def fields(self) -> dict[str, str]:
        """The fields of a webhook, as the call is now."""
        return standard_fields(self.account.exchange.account_sid, self.report, self.setup.fields)

    def tell(self, event: str) -> None:
        """Sends the status callback of an event in the call's progress, if it is wanted."""
        if self.setup.status.url is None or event not in self.setup.status.events:
            return
        fields = {"CallbackSource": "call-progress-events", "SequenceNumber": str(self._told), "Timestamp": timestamp()}
        self._told += 1
        if event == "completed":
            talked_s = self.report.talked_s
            fields |= {"CallDuration": str(talked_s), "Duration": str(-(-talked_s // 60))}
            fields["SipResponseCode"] = str(SIP_CODES[self.report.status])
        self.account.callbacks.send(
            self.setup.status, self.fields() | fields, self.phone.now_ms, self.report.callbacks.append, self.warn
        )

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
