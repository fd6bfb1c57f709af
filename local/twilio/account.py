"""The simulated Twilio as a whole: one account with numbers, calls and messages, and its REST API."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp

from local.twilio.call import Call, Callbacks, Loss, Setup
from local.twilio.exchange import Exchange, Speak, speak_silently
from local.twilio.life import live
from local.twilio.person import Callee, Caller, Unreachable
from local.twilio.report import CallReport, EndedBy, Step
from local.twilio.rest.calls import Calls
from local.twilio.rest.messages import Message, Messages
from local.twilio.rest.phone_numbers import PhoneNumbers
from local.twilio.rest.server import Fault, RestServer
from local.twilio.webhook import TIME_LIMIT_S, Request, Webhooks

if TYPE_CHECKING:
    from local.twilio.conference import Room

FROM = "+15557654321"
TO = "+15550100200"
CLOSING_LIMIT_S = 15.0


class SimulatedTwilio:
    """An account, live inside `async with`. `api_url` is what TWILIO_API_URL wants.

    `numbers` are the account's: only they send messages and place calls, and a REST client can set their webhooks; None
    lets any number do so. `phones` are those that can be called, by number; a number without one is nobody's. `calls`
    has each call by its sid, ended ones too, in the order in which they were made. `tunnels` and `speak` are those of
    `Exchange`; `speed` lets the calls' time run faster than real time; `webhook_limit_s` is Twilio's 15 s for a
    webhook, in real time.
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
        # A connection is used once: one kept alive may be closed by the other side just as a webhook is sent.
        connector = aiohttp.TCPConnector(force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self.webhooks = Webhooks(self.exchange, self._session, self._webhook_limit_s)
        self.callbacks = Callbacks(self.webhooks)
        self.api_url = await self._rest.start()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Ends all calls; raises what a placed call's script raised, or asked for in vain, if nobody was told."""
        try:
            async with asyncio.timeout(CLOSING_LIMIT_S):
                for call in self._unfinished():
                    call.end(EndedBy.CLOSED)
                await self._settled()
        finally:
            await self._rest.stop()
            await self._session.close()
        for sid, living in self._placed.items():
            if error is None and sid not in self._seen and living.done():
                living.result()

    @property
    def reports(self) -> list[CallReport]:
        """The reports of all calls so far, in the order in which they were made; those of live ones are growing."""
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
        """Phones `to` and lives through the call.

        `webhook` is asked with `method`; without one, what REST has set for the number is asked. The other arguments
        are those of `Setup`.

        Raises what the caller's script raised (CallerGaveUpError when the agent was not to be heard),
        NotSimulatedError, and ValueError for a number without a webhook.
        """
        opening = Request(webhook, method) if webhook else None
        if opening is None:
            opening, fallback = self._numbers.voice(to)
        setup = Setup(from_, to, opening, fallback=fallback, fields=fields or {}, limit_s=limit_s, watch=watch)
        call = Call(self, setup, caller)
        self.calls[call.sid] = call
        return await live(call)

    def place(self, setup: Setup, ring_for_s: float) -> Call:
        """Twilio phones: the call goes on by itself."""
        call = Call(self, setup)
        call.report.status = "queued"
        self.calls[call.sid] = call
        living = asyncio.create_task(live(call, self.phones.get(setup.to, Unreachable()), ring_for_s=ring_for_s))
        living.add_done_callback(self._announce)
        self._placed[call.sid] = living
        return call

    async def calls_to(self, number: str, count: int = 1, limit_s: float = 60.0) -> list[CallReport]:
        """The reports of the calls that Twilio placed to a number, once `count` of them are over.

        Raises TimeoutError after `limit_s` of real time, and what a script of theirs raised.
        """
        async with asyncio.timeout(limit_s):
            while len(over := self._over(number)) < count:
                await self._one_is_over.wait()
        self._seen.update(over)
        return [self._placed[sid].result() for sid in over]

    def _over(self, number: str) -> list[str]:
        return [sid for sid, living in self._placed.items() if living.done() and self.calls[sid].setup.to == number]

    def _announce(self, _living: asyncio.Task[CallReport]) -> None:
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
        """The calls whose life is not over; some may have ended and be asking their last webhook."""
        return [call for call in self.calls.values() if not call.over.is_set()]

    @property
    def messages(self) -> list[Message]:
        """Every SMS that was accepted, in order."""
        return self._messages.sent

    async def wait_for_messages(self, count: int, limit_s: float = 30.0) -> list[Message]:
        """The messages, once there are at least `count`; raises TimeoutError after `limit_s` of real time."""
        return await self._messages.wait_for(count, limit_s)

    def fail(self, fault: Fault) -> None:
        """Orders a failure of the REST API, for the next request that it fits."""
        self._rest.faults.append(fault)

    def lose(self, loss: Loss) -> None:
        """Orders that status callbacks get lost on their way."""
        self.callbacks.losses.append(loss)
