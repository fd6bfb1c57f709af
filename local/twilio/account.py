"""The simulated Twilio as a whole: one account with numbers, calls and messages, and its REST API."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

import aiohttp

from local.twilio.call import Setup
from local.twilio.callbacks import Loss
from local.twilio.callee import Callee
from local.twilio.conference import Room
from local.twilio.exchange import Exchange, Speak, speak_silently
from local.twilio.line import Caller
from local.twilio.report import CallReport, Step
from local.twilio.rest.calls import Calls
from local.twilio.rest.conferences import Conferences
from local.twilio.rest.faults import Fault
from local.twilio.rest.messages import Message, Messages
from local.twilio.rest.phone_numbers import PhoneNumbers
from local.twilio.rest.server import RestServer
from local.twilio.switchboard import Switchboard
from local.twilio.webhook import TIME_LIMIT_S, Request, Webhooks

FROM = "+15557654321"
TO = "+15550100200"
CLOSING_LIMIT_S = 15.0


class SimulatedTwilio:
    """An account, live inside `async with`. `api_url` is what TWILIO_API_URL wants.

    `numbers` are the account's: only they send messages, and a REST client can set their webhooks; None lets any number
    send. `tunnels`, `allow_plain`, `sign_with_slash` and `speak` are those of `Exchange`; `speed` lets the calls' time
    run faster than real time; `webhook_limit_s` is Twilio's 15 s for a webhook, in real time.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        numbers: Collection[str] | None = None,
        tunnels: Mapping[str, str] | None = None,
        allow_plain: bool = False,
        sign_with_slash: bool = False,
        speak: Speak = speak_silently,
        speed: float = 1.0,
        webhook_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self.exchange = Exchange(
            account_sid, auth_token, tunnels or {}, allow_plain, sign_with_slash, speak=speak, speed=speed
        )
        self.api_url = ""
        self._host, self._port = host, port
        self._webhook_limit_s = webhook_limit_s
        self._numbers = PhoneNumbers(account_sid, numbers or ())
        self._messages = Messages(account_sid, numbers)
        self._switchboard = Switchboard(self.exchange, None if numbers is None else frozenset(numbers))
        calls = Calls(account_sid, self._switchboard)
        conferences = Conferences(account_sid, self._switchboard)
        self._rest = RestServer(self.exchange, [self._numbers, self._messages, calls, conferences])

    async def __aenter__(self) -> Self:
        # A connection is used once: one kept alive may be closed by the other side just as a webhook is sent.
        connector = aiohttp.TCPConnector(force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self._switchboard.open(Webhooks(self.exchange, self._session, self._webhook_limit_s))
        self.api_url = await self._rest.start(self._host, self._port)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(CLOSING_LIMIT_S):
                await self._switchboard.close()
        finally:
            await self._rest.stop()
            await self._session.close()
        if error is None:
            self._switchboard.raise_what_nobody_saw()

    @property
    def phones(self) -> dict[str, Callee]:
        """The phones that can be called, by number; a number without one is nobody's."""
        return self._switchboard.phones

    @property
    def reports(self) -> list[CallReport]:
        """The reports of all calls so far, in the order in which they were made; those of live ones are growing."""
        return [call.report for call in self._switchboard.all.values()]

    @property
    def conferences(self) -> list[Room]:
        """All conferences so far, ended ones too, in the order in which they began."""
        return self._switchboard.conferences.rooms

    async def calls_to(self, number: str, count: int = 1, limit_s: float = 60.0) -> list[CallReport]:
        """The reports of the calls that Twilio placed to a number, once `count` of them are over.

        Raises TimeoutError after `limit_s` of real time, and what a script of theirs raised.
        """
        async with asyncio.timeout(limit_s):
            return await self._switchboard.finished(number, count)

    async def settled(self, limit_s: float = 60.0) -> None:
        """Waits until no call is going on and each status callback is answered; TimeoutError after `limit_s`."""
        async with asyncio.timeout(limit_s):
            await self._switchboard.settled()

    @property
    def messages(self) -> list[Message]:
        """Every SMS that was accepted, in order."""
        return self._messages.sent

    async def wait_for_messages(self, count: int, limit_s: float = 30.0) -> list[Message]:
        """The messages, once there are at least `count`; raises TimeoutError after `limit_s` of real time."""
        return await self._messages.wait_for(count, limit_s)

    def calls_in_progress(self) -> list[str]:
        """The sids of the calls that have not ended."""
        return [call.sid for call in self._switchboard.unfinished() if call.in_progress]

    def watch(self, watch: Callable[[CallReport, Step], None]) -> None:
        """From now on `watch` gets each step of the calls that Twilio places, with the report of that call."""
        self._switchboard.watch = watch

    def fail(self, fault: Fault) -> None:
        """Orders a failure of the REST API, for the next request that it fits."""
        self._rest.faults.order(fault)

    def lose(self, loss: Loss) -> None:
        """Orders that status callbacks get lost on their way."""
        self._switchboard.callbacks.losses.append(loss)

    async def call(
        self,
        caller: Caller,
        *,
        webhook: str | None = None,
        twiml: Callable[[str], str] | None = None,
        method: str = "POST",
        from_: str = FROM,
        to: str = TO,
        fallback: str | None = None,
        fields: Mapping[str, str | None] | None = None,
        limit_s: float = 600.0,
        watch: Callable[[Step], None] = lambda _step: None,
    ) -> CallReport:
        """Phones `to` and lives through the call.

        `webhook` is asked with `method`; without one, `twiml` makes the first document from the call's sid; without
        both, the webhook that REST has set for the number is asked. The other arguments are those of `Setup`.

        Raises what the caller's script raised (CallerGaveUpError when the agent was not to be heard),
        NotSimulatedError, and ValueError for a number without a webhook.
        """
        opening, fallback = self._opening(to, Request(webhook, method) if webhook else None, twiml, fallback)
        setup = Setup(from_, to, opening, fallback=fallback, fields=fields or {}, limit_s=limit_s)
        return await self._switchboard.receive(caller, replace(setup, watch=lambda _report, step: watch(step)))

    def _opening(
        self, to: str, webhook: Request | None, twiml: Callable[[str], str] | None, fallback: str | None
    ) -> tuple[Request | Callable[[str], str], str | None]:
        """What a call begins with, and the fallback of that."""
        if webhook is not None:
            return webhook, fallback
        if twiml is not None:
            return twiml, fallback
        return self._settings_of(to)

    def _settings_of(self, number: str) -> tuple[Request, str | None]:
        known = self._numbers.get(number)
        settings = known.settings if known is not None else {}
        if not settings.get("voice_url"):
            raise ValueError(f"{number} has no webhook: name one, or set the number's VoiceUrl through REST")
        return Request(settings["voice_url"], settings["voice_method"]), settings.get("voice_fallback_url")
