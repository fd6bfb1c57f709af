"""One call: it asks for TwiML, performs it verb by verb, and goes on with the next document until it ends.

While a document runs, the caller may hang up, a REST call may put another document in its place, and the time may be
up; each of these interrupts whatever verb is being performed.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from local.twilio.clock import Clock
from local.twilio.exchange import Exchange
from local.twilio.line import CallEndedError, Caller, Line
from local.twilio.phone import Phone
from local.twilio.report import CallReport, EndedBy, Notice, Step
from local.twilio.twiml import ApplicationError, Document, Say
from local.twilio.twiml_reader import parse
from local.twilio.verbs import Next, describe, perform, say
from local.twilio.webhook import Request, Webhooks
from local.twilio.webhook_fields import standard_fields

APOLOGY = Say("We are sorry. An application error has occurred. Goodbye.")
SCRIPT_LIMIT_S = 5.0  # for a caller's script to end once the call has


@dataclass(frozen=True)
class Incoming:
    """What is known of a call before it is answered.

    `opening` is asked for the first document, or makes it from the call's sid. `fallback` is asked, with ErrorCode and
    ErrorUrl, when a webhook fails; `fields` replace, add or (None) leave out
    fields of every webhook; `limit_s`, in seconds of the call, ends it as Twilio's own time limit would; `watch` gets
    each step as it happens.
    """

    opening: Request | Callable[[str], str]
    from_: str
    to: str
    fallback: str | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)
    limit_s: float = 600.0
    watch: Callable[[Step], None] = lambda _step: None


class Call:
    """An inbound call; `run` lives through it and returns its report."""

    def __init__(self, exchange: Exchange, webhooks: Webhooks, caller: Caller, incoming: Incoming) -> None:
        self.sid = f"CA{uuid4().hex}"
        self.created_at = datetime.now(UTC)
        self.over = asyncio.Event()
        self.exchange = exchange
        self.webhooks = webhooks
        self.incoming = incoming
        self.phone = Phone(Clock(exchange.speed))
        self.report = CallReport(self.sid, incoming.from_, incoming.to)
        self.parting: Request | None = None
        self._caller = caller
        self._script: asyncio.Task[None] | None = None
        self._fallback_left = incoming.fallback is not None
        self._interrupts: asyncio.Queue[Request | Document | None] = asyncio.Queue()

    @property
    def answered(self) -> bool:
        """Whether Twilio has picked up."""
        return self.report.answered_at_ms is not None

    @property
    def in_progress(self) -> bool:
        """Whether the call can still be updated."""
        return self.report.ended_by is None

    async def run(self) -> CallReport:
        """Lives through the call. Raises what the caller's script raised, and NotSimulatedError."""
        ticking = asyncio.create_task(self.phone.run())
        limit = asyncio.create_task(self._end_at_limit())
        try:
            await self._follow(ticking)
        finally:
            self.end(EndedBy.APPLICATION)
            for task in (ticking, limit):
                task.cancel()
            await asyncio.wait({ticking, limit})
            self.report.heard, self.report.spoken = bytes(self.phone.heard), bytes(self.phone.spoken)
            await self._end_script()
            self.over.set()
        if self._script is not None and not self._script.cancelled():
            self._script.result()
        return self.report

    def answer(self) -> None:
        """Picks up, once; the caller's script begins."""
        if self.answered:
            return
        self.report.answered_at_ms = self.phone.now_ms
        self.report.status = "in-progress"
        self.note("answered")
        self._script = asyncio.create_task(self._run_script())

    def end(self, by: EndedBy, status: str = "completed") -> None:
        """Ends the call, once; what is being performed stops."""
        if self.report.ended_by is not None:
            return
        self.report.ended_by, self.report.status = by, status
        self.report.ended_at_ms = self.phone.now_ms
        self.note("ended", by)
        self.phone.hang_up()
        self._interrupts.put_nowait(None)

    def replace(self, document: Request | Document) -> None:
        """Puts another document in the place of what is being performed, as a REST update does."""
        self.note("updated by REST")
        self._interrupts.put_nowait(document)

    def note(self, what: str, detail: str = "") -> None:
        """Adds a step to the report, and shows it to whoever watches."""
        step = Step(self.phone.now_ms, what, detail)
        self.report.steps.append(step)
        self.incoming.watch(step)

    def warn(self, code: int, text: str) -> None:
        """Adds an error or a warning to the report."""
        self.report.warnings.append(Notice(self.phone.now_ms, code, text))
        self.note("warning", f"{code} {text}")

    async def _follow(self, ticking: asyncio.Task[None]) -> None:
        opening = self.incoming.opening
        following: Request | Document | None = opening if isinstance(opening, Request) else parse(opening(self.sid))
        while following is not None and self.in_progress:
            following = await self._until_interrupted(following, ticking)
        self.end(EndedBy.APPLICATION)
        if self.parting is not None:
            try:
                await self._ask(self.parting)  # its answer is read, and not performed: nobody is there
            except ApplicationError as error:
                self.warn(error.code, error.reason)

    async def _until_interrupted(
        self, following: Request | Document, ticking: asyncio.Task[None]
    ) -> Request | Document | None:
        performing = asyncio.create_task(self._perform(following))
        interrupting = asyncio.create_task(self._interrupts.get())
        try:
            await asyncio.wait({performing, interrupting, ticking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            performing.cancel()
            interrupting.cancel()
            await asyncio.wait({performing, interrupting})
        if ticking.done():
            ticking.result()
        outcome = None if performing.cancelled() else performing.result()
        if interrupting.cancelled():
            return outcome
        if (replacement := interrupting.result()) is not None:
            self.parting = None  # what the old document would have asked at its end is asked no more
        return replacement

    async def _perform(self, following: Request | Document) -> Request | None:
        try:
            document = following if isinstance(following, Document) else await self._ask(following)
            for warning in document.warnings:
                self.warn(12200, warning)
            for verb in document.verbs:
                self.note(type(verb).__name__, describe(verb))
                outcome = await perform(self, verb, document)
                if outcome is Next.END:
                    return None
                if isinstance(outcome, Request):
                    return outcome
        except ApplicationError as error:
            return await self._apologise(error, following)
        except CallEndedError:
            return None
        return None

    async def _ask(self, request: Request) -> Document:
        fields = standard_fields(self.exchange.account_sid, self.report, self.incoming.fields)
        self.note("webhook", f"{request.method} {request.url}")
        return await self.webhooks.ask(request, fields, self.phone.now_ms, self.report.requests.append)

    async def _apologise(self, error: ApplicationError, failed: Request | Document) -> Request | None:
        self.warn(error.code, error.reason)
        if self._fallback_left and self.incoming.fallback is not None:
            self._fallback_left = False
            url = failed.url or ""
            return Request(self.incoming.fallback, fields={"ErrorCode": str(error.code), "ErrorUrl": url})
        self.answer()
        await say(self, APOLOGY)
        self.end(EndedBy.APPLICATION_ERROR)
        return None

    async def _end_at_limit(self) -> None:
        await self.phone.clock.wait_until(self.incoming.limit_s * 1000)
        self.end(EndedBy.TIME_LIMIT)

    async def _run_script(self) -> None:
        line = Line(self.phone, hang_up=lambda: self.end(EndedBy.CALLER), note=self.note)
        try:
            await self._caller.run(line)
        except CallEndedError:
            return
        except BaseException:
            self.end(EndedBy.CALLER)  # whoever drops the phone has hung up; `run` raises the reason
            raise

    async def _end_script(self) -> None:
        if self._script is None:
            return
        await asyncio.wait({self._script}, timeout=SCRIPT_LIMIT_S)
        if not self._script.done():
            self.note("script cut off", f"it ran on for {SCRIPT_LIMIT_S:.0f} s after the call")
            self._script.cancel()
            await asyncio.wait({self._script})
