"""Where all calls of the account are known, and outbound ones are placed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from local.twilio.call import Call, Setup
from local.twilio.callbacks import Callbacks
from local.twilio.callee import Callee, Unreachable
from local.twilio.conference import Conferences
from local.twilio.exchange import Exchange
from local.twilio.life import live
from local.twilio.line import Caller
from local.twilio.report import CallReport, EndedBy, Step
from local.twilio.webhook import Webhooks


class Switchboard:
    """All calls of the account, ended ones too, by sid, in the order in which they were made.

    `numbers` are the account's (None: any number is); `phones` are those that can be called, by number. `watch` gets
    each step of the calls that Twilio places.
    """

    webhooks: Webhooks
    callbacks: Callbacks
    conferences: Conferences

    def __init__(self, exchange: Exchange, numbers: frozenset[str] | None) -> None:
        self.exchange = exchange
        self.numbers = numbers
        self.phones: dict[str, Callee] = {}
        self.watch: Callable[[CallReport, Step], None] = lambda _report, _step: None
        self._calls: dict[str, Call] = {}
        self._placed: dict[str, asyncio.Task[CallReport]] = {}
        self._seen: set[str] = set()
        self._one_is_over = asyncio.Event()

    def open(self, webhooks: Webhooks) -> None:
        """Calls can be made from now on."""
        self.webhooks, self.callbacks = webhooks, Callbacks(webhooks)
        self.conferences = Conferences(self.exchange.account_sid, self.callbacks)

    @property
    def all(self) -> Mapping[str, Call]:
        """Each call by its sid."""
        return self._calls

    def unfinished(self) -> list[Call]:
        """The calls whose life is not over; some may have ended and be asking their last webhook."""
        return [call for call in self._calls.values() if not call.over.is_set()]

    async def receive(self, caller: Caller, setup: Setup) -> CallReport:
        """Somebody phones; the report comes when the call is over. Raises as `live` does."""
        call = Call(self, setup, caller)
        self._calls[call.sid] = call
        return await live(call)

    def place(self, setup: Setup, ring_for_s: float) -> Call:
        """Twilio phones: the call goes on by itself."""
        call = Call(self, replace(setup, watch=self._watch))
        call.report.status = "queued"
        self._calls[call.sid] = call
        living = asyncio.create_task(live(call, self.phones.get(setup.to, Unreachable()), ring_for_s=ring_for_s))
        living.add_done_callback(self._announce)
        self._placed[call.sid] = living
        return call

    async def finished(self, number: str, count: int) -> list[CallReport]:
        """The reports of the calls placed to a number, once `count` of them are over. Raises as `live` does."""
        while len(over := self._over(number)) < count:
            await self._one_is_over.wait()
        self._seen.update(over)
        return [self._placed[sid].result() for sid in over]

    async def settled(self) -> None:
        """Waits until no call is going on and each status callback is answered."""
        while self.unfinished() or self.callbacks.under_way:
            await asyncio.gather(*(call.over.wait() for call in self.unfinished()))
            await self.callbacks.settled()

    async def close(self) -> None:
        """Ends all calls, and waits until they are over and each status callback is answered."""
        for call in self.unfinished():
            call.end(EndedBy.CLOSED)
        await self.settled()

    def raise_what_nobody_saw(self) -> None:
        """Raises what a placed call's script raised, or what it asked for and is not simulated, if none was told."""
        for sid, living in self._placed.items():
            if sid not in self._seen and living.done():
                living.result()

    def _over(self, number: str) -> list[str]:
        return [sid for sid, living in self._placed.items() if living.done() and self._calls[sid].setup.to == number]

    def _announce(self, _living: asyncio.Task[CallReport]) -> None:
        self._one_is_over.set()
        self._one_is_over = asyncio.Event()

    def _watch(self, report: CallReport, step: Step) -> None:
        self.watch(report, step)
