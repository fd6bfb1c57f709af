"""The simulated Twilio: one account with numbers, calls and messages, and its REST API."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp

from local.twilio.call import Call, Callbacks, Loss, Setup
from local.twilio.exchange import Exchange, Speak, speak_silently
from local.twilio.lifecycle import run_call
from local.twilio.person import Callee, Caller, Unreachable
from local.twilio.report import CallReport, EndedBy, Step
from local.twilio.rest.calls import Calls
from local.twilio.rest.messages import Message, Messages
from local.twilio.rest.phone_numbers import PhoneNumbers
from local.twilio.rest.server import Fault, RestServer
from local.twilio.webhook import TIME_LIMIT_S, Request, Webhooks

if TYPE_CHECKING:
    from local.twilio.room import Room

FROM = "+15557654321"
TO = "+15550100200"
CLOSING_LIMIT_S = 15.0


class SimulatedTwilio:
    """An account, running inside `async with`. `api_url` is the value for TWILIO_API_URL.

    `numbers` are the account's: only these send messages and place calls, and a REST client can set their webhooks;
    with None any number may. `phones` maps numbers to the phones that can be called; other numbers are unreachable.
    `calls` has all calls by sid, also ended ones, oldest first. `tunnels` and `speak` are those of `Exchange`. With
    `speed` above 1, calls run faster than real time. `webhook_limit_s` is the time limit of a webhook, in real time.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        numbers: Collection[str] | None = None,
        tunnels: Mapping[str, str] | None = None,
        speak: Speak = speak_silently,
        speed: float = 1.0,
        webhook_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self.exchange = Exchange(account_sid, auth_token, tunnels or {}, speak, speed)
        self.numbers = None if numbers is None else frozenset(numbers)
        self.phones: dict[str, Callee] = {}
        self.calls: dict[str, Call] = {}
        self.rooms: list[Room] = []
        self.api_url = ""
        self._webhook_limit_s = webhook_limit_s
        self._placed: dict[str, asyncio.Task[CallReport]] = {}
        self._seen: set[str] = set()
        self._one_is_over = asyncio.Event()
        self._numbers = PhoneNumbers(account_sid, numbers or ())
        self._messages = Messages(account_sid, numbers)
        self._rest = RestServer(self.exchange, [self._numbers, self._messages, Calls(self)])

    async def __aenter__(self) -> Self:
        # No keep-alive: the server might close a kept connection just as the next webhook is sent.
        connector = aiohttp.TCPConnector(force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self.webhooks = Webhooks(self.exchange, self._session, self._webhook_limit_s)
        self.callbacks = Callbacks(self.webhooks)
        self.api_url = await self._rest.start()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Ends all calls; raises the error of a placed call or its script, unless `calls_to` has raised it already."""
        try:
            async with asyncio.timeout(CLOSING_LIMIT_S):
                for call in self._unfinished():
                    call.end(EndedBy.CLOSED)
                await self._settled()
        finally:
            await self._rest.stop()
            await self._session.close()
        for sid, running in self._placed.items():
            if error is None and sid not in self._seen and running.done():
                running.result()

    @property
    def reports(self) -> list[CallReport]:
        """The reports of all calls so far, oldest first; those of running calls still grow."""
        return [call.report for call in self.calls.values()]

    async def call(
        self,
        caller: Caller,
        *,
        webhook: str | None = None,
        method: str = "POST",
        from_: str = FROM,
        to: str = TO,
        fallback: str | None = None,
        fields: Mapping[str, str | None] | None = None,
        limit_s: float = 600.0,
        watch: Callable[[Step], None] = lambda _step: None,
    ) -> CallReport:
        """Phones `to`, and returns the report when the call is over.

        The first document comes from `webhook`, with `method`; without it, from the webhook that REST has set for the
        number. The other arguments are those of `Setup`.

        Raises what the caller's script raised (CallerGaveUpError if it did not hear the agent in time),
        NotSimulatedError, and ValueError for a number without a webhook.
        """
        opening = Request(webhook, method) if webhook else None
        if opening is None:
            opening, fallback = self._numbers.voice(to)
        setup = Setup(from_, to, opening, fallback=fallback, fields=fields or {}, limit_s=limit_s, watch=watch)
        call = Call(self, setup, caller)
        self.calls[call.sid] = call
        return await run_call(call)

    def place(self, setup: Setup, ring_for_s: float) -> Call:
        """Starts an outbound call, which runs in its own task."""
        call = Call(self, setup)
        call.report.status = "queued"
        self.calls[call.sid] = call
        running = asyncio.create_task(run_call(call, self.phones.get(setup.to, Unreachable()), ring_for_s=ring_for_s))
        running.add_done_callback(self._announce)
        self._placed[call.sid] = running
        return call

    async def calls_to(self, number: str, count: int = 1, limit_s: float = 60.0) -> list[CallReport]:
        """The reports of the calls that Twilio placed to a number, once `count` of them are over.

        Raises TimeoutError after `limit_s` of real time, and what one of their scripts raised.
        """
        async with asyncio.timeout(limit_s):
            while len(over := self._over(number)) < count:
                await self._one_is_over.wait()
        self._seen.update(over)
        return [self._placed[sid].result() for sid in over]

    def _over(self, number: str) -> list[str]:
        return [sid for sid, running in self._placed.items() if running.done() and self.calls[sid].setup.to == number]

    def _announce(self, _running: asyncio.Task[CallReport]) -> None:
        self._one_is_over.set()
        self._one_is_over = asyncio.Event()

    async def settled(self, limit_s: float = 60.0) -> None:
        """Waits until no call is going on and each status callback is answered; TimeoutError after `limit_s`."""
        async with asyncio.timeout(limit_s):
            await self._settled()

    async def _settled(self) -> None:
        while self._unfinished() or self.callbacks.under_way:
            await asyncio.gather(*(call.over.wait() for call in self._unfinished()))
            await self.callbacks.settled()

    def _unfinished(self) -> list[Call]:
        """The calls that still run; some may have ended and still be requesting their last webhook."""
        return [call for call in self.calls.values() if not call.over.is_set()]

    @property
    def messages(self) -> list[Message]:
        """Every accepted SMS, in order."""
        return self._messages.sent

    async def wait_for_messages(self, count: int, limit_s: float = 30.0) -> list[Message]:
        """The messages, once there are at least `count`; raises TimeoutError after `limit_s` of real time."""
        return await self._messages.wait_for(count, limit_s)

    def fail(self, fault: Fault) -> None:
        """Makes the REST API fail, at the next request that matches the fault."""
        self._rest.faults.append(fault)

    def lose(self, loss: Loss) -> None:
        """Makes status callbacks get lost."""
        self.callbacks.losses.append(loss)
