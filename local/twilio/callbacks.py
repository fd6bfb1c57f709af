"""Status callbacks: sent while the call goes on, which waits for no answer to them.

What is answered has no meaning. A connection that fails is tried once more, as Twilio does unless told otherwise; an
error that is answered is not, and is reported (error 15003).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from time import monotonic

import aiohttp

from local.twilio.report import WebhookRequest
from local.twilio.twiml import ApplicationError, StatusCallback
from local.twilio.webhook import SUCCESSES, Webhooks

ATTEMPTS = 2


def timestamp() -> str:
    """Now, as status callbacks have it."""
    return format_datetime(datetime.now(UTC))


@dataclass
class Loss:
    """The next `times` status callbacks to a URL with `path` in it never arrive; with a `call_sid`, those about it."""

    path: str
    call_sid: str | None = None
    times: int = 1


class Callbacks:
    """The status callbacks of one simulated Twilio, each on its way by itself. `losses` are those still to happen."""

    def __init__(self, webhooks: Webhooks) -> None:
        self.losses: list[Loss] = []
        self._webhooks = webhooks
        self._under_way: set[asyncio.Task[None]] = set()

    def send(
        self,
        callback: StatusCallback,
        fields: Mapping[str, str],
        at_ms: float,
        record: Callable[[WebhookRequest], None],
        warn: Callable[[int, str], None],
    ) -> None:
        """Sends one, if there is a URL to send it to; `record` gets each attempt, `warn` what came of it if nothing."""
        if callback.url is not None and self._is_lost(callback.url, fields):
            record(WebhookRequest(at_ms, callback.method, callback.url, fields, None, 0.0))
        elif callback.url is not None:
            sending = asyncio.create_task(self._send(callback.url, callback.method, fields, at_ms, record, warn))
            self._under_way.add(sending)
            sending.add_done_callback(self._under_way.discard)

    def _is_lost(self, url: str, fields: Mapping[str, str]) -> bool:
        for loss in self.losses:
            if loss.times > 0 and loss.path in url and loss.call_sid in (None, fields.get("CallSid")):
                loss.times -= 1
                return True
        return False

    @property
    def under_way(self) -> int:
        """How many are on their way."""
        return len(self._under_way)

    async def settled(self) -> None:
        """Waits until none is on its way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _send(
        self,
        url: str,
        method: str,
        fields: Mapping[str, str],
        at_ms: float,
        record: Callable[[WebhookRequest], None],
        warn: Callable[[int, str], None],
    ) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            began, status = monotonic(), None
            try:
                status = (await self._webhooks.fetch(url, method, fields)).status
            except ApplicationError as error:
                if isinstance(error.__cause__, aiohttp.ClientConnectorError) and attempt < ATTEMPTS:
                    continue
                warn(error.code, error.reason)
            finally:
                record(WebhookRequest(at_ms, method, url, fields, status, (monotonic() - began) * 1000))
            if status is not None and status not in SUCCESSES:
                warn(15003, f"the status callback {url} answered {status}")
            return
