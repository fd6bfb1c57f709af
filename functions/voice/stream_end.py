"""What a stream's end means for its call: it is over, for good or ill, or it goes on with another worker."""

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from functions.voice.settings import VoiceSettings
from shared.aws_clients import client
from shared.call_store import CallEnd, CallStore, StoreUnavailable
from shared.logs import logger
from shared.webhook import Webhook

log = logger("voice")

STORE_LIMIT_S = 3.0


class Over(Enum):
    """The call does not go on."""

    WELL = "as it should"
    BROKEN = "broken off"


@dataclass(frozen=True)
class Resumption:
    """The call goes on. Its worker was lost or has moved it; `number` counts the call's resumptions from 1."""

    cause: Literal["lost", "moved"]
    number: int

    @property
    def pause_s(self) -> int:
        """How long to wait before it: at first not at all, later a little, for workers that crash or are full."""
        return 0 if self.number == 1 else 1


async def after_stream(webhook: Webhook, settings: VoiceSettings) -> Over | Resumption:
    """What becomes of the call. Without a recorded end its worker died, or never let the stream in, so it goes on.

    When the table cannot tell, the call is broken: better a person calls somebody who had hung up content than that
    nobody calls one who was cut off, and uncounted it might be connected again for ever.
    """
    if webhook.caller_is_gone:
        return Over.WELL

    def look_up() -> Over | Resumption:
        calls = CallStore(settings.table_name, client("dynamodb"))
        ended = calls.how_it_ended(webhook.call_sid)
        if ended is not None and ended.normal:
            return Over.WELL
        if ended is CallEnd.FAILED:
            return Over.BROKEN
        number = calls.try_resume(webhook.call_sid, settings.max_resumes)
        return Resumption("moved" if ended is CallEnd.MOVED else "lost", number) if number else Over.BROKEN

    try:
        return await asyncio.wait_for(asyncio.to_thread(look_up), STORE_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("cannot tell how a call ended", extra={"call_sid": webhook.call_sid})
        return Over.BROKEN
