"""What a stream's end means for its call: it is over, for good or ill, or goes on with another worker or a person."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from functions.voice.settings import VoiceSettings
from shared.aws_clients import client
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore, StoreUnavailable
from shared.logs import logger
from shared.twilio.webhook import Webhook

log = logger("voice")

STORE_LIMIT_S = 3.0
# To look once more before a transfer. A caller whom a person waits for is not to lose them over it.
LIFE_LIMIT_S = 1.5

# How long a lost call waits before each of its resumptions. At first not at all: usually the next worker is a good one.
# But the load balancer goes on choosing a dead one, which has the fewest calls, until ECS has taken its task out
# (seconds) or, if its host hangs, two health checks have failed (14 s with those in template.yaml). It tries no other
# worker by itself, so the last resumption must come after that.
PAUSES_S = (0, 5, 10)

Cause = Literal["lost", "moved", "returned"]


class Ended(Enum):
    """The call does not go on."""

    NORMALLY = "as it should"
    DROPPED = "broken off"


@dataclass(frozen=True)
class Resumption:
    """The call goes on. Its worker was lost or has moved it, or a person has returned it to the agent.

    `number` is how many resumptions the call has had, this one among them; a return is none.
    """

    cause: Cause
    number: int

    @property
    def pause_s(self) -> int:
        """How long to wait before it, if the call was lost. Whoever moves or returns a call does not get it back."""
        return PAUSES_S[min(self.number, len(PAUSES_S)) - 1] if self.cause == "lost" else 0


@dataclass(frozen=True)
class Transfer:
    """The call goes on with a person, who has taken this escalation and waits for the caller."""

    escalation_id: str


async def after_stream(webhook: Webhook, settings: VoiceSettings) -> Ended | Resumption | Transfer:
    """What becomes of the call. Without a recorded end its worker died, or never let the stream in, so it goes on.

    When the table cannot tell, the call is broken: better a person calls somebody who had hung up content than that
    nobody calls one who was cut off, and uncounted it might be connected again for ever.
    """

    def look_up(calls: CallStore) -> Ended | Resumption | Transfer:
        recorded = calls.recorded_end(webhook.call_sid)
        ended = recorded.ended if recorded else None
        if recorded and ended is CallEnd.TRANSFERRED:
            return Transfer(str(recorded.details["escalation_id"]))
        if ended is not None and ended.normal:
            return Ended.NORMALLY
        if ended is CallEnd.FAILED:
            return Ended.DROPPED
        return _resume(calls, webhook.call_sid, "moved" if ended is CallEnd.MOVED else "lost", settings)

    following = await _ask_table(webhook, settings, look_up)
    if isinstance(following, Transfer) and not await _somebody_waits(following.escalation_id, settings):
        return await after_transfer(webhook, settings)
    return following


async def after_transfer(webhook: Webhook, settings: VoiceSettings) -> Ended | Resumption | Transfer:
    """What becomes of a call that was with a person, or waited for one: unless the caller has gone, the agent has it.

    That counts as no resumption: there is one return for each time that the call was transferred. When Twilio asks
    again because the answer got lost, there is nothing to take back any more, and it does count.
    """

    def look_up(calls: CallStore) -> Ended | Resumption:
        if (so_far := calls.try_return(webhook.call_sid)) is not None:
            return Resumption("returned", so_far)
        return _resume(calls, webhook.call_sid, "returned", settings)

    return await _ask_table(webhook, settings, look_up)


async def _somebody_waits(escalation_id: str, settings: VoiceSettings) -> bool:
    """Whether the person is still on the phone for whom the agent has let go of the caller.

    They may have hung up in that moment, and then nobody would come to the conference. If the table does not tell, the
    caller goes there all the same: from there they are fetched back.
    """
    # Most calls are not transferred, and none of them is to wait until this is loaded.
    from shared.escalations.store import EscalationStore

    escalations = EscalationStore(settings.table_name, client("dynamodb"))
    try:
        record = await asyncio.wait_for(asyncio.to_thread(escalations.get, escalation_id), LIFE_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("the table does not tell whether a person waits", extra={"escalation_id": escalation_id})
        return True
    return record is None or record.awaits_caller


def _resume(calls: CallStore, call_sid: str, cause: Cause, settings: VoiceSettings) -> Ended | Resumption:
    if number := calls.try_resume(call_sid, settings.max_resumes):
        return Resumption(cause, number)
    calls.has_failed(call_sid)  # whoever is on call is not to wait for a caller who is told goodbye now
    return Ended.DROPPED


async def _ask_table(
    webhook: Webhook, settings: VoiceSettings, look_up: Callable[[CallStore], Ended | Resumption | Transfer]
) -> Ended | Resumption | Transfer:
    # Outside of the limit, which is the table's: to load boto3 takes its time, above all on a busy machine.
    calls = CallStore(settings.table_name, await asyncio.to_thread(client, "dynamodb"))

    def ask() -> Ended | Resumption | Transfer:
        if not webhook.caller_is_gone:
            return look_up(calls)
        calls.caller_has_gone(webhook.call_sid)  # a person who waits for them is told so
        return Ended.NORMALLY

    try:
        return await asyncio.wait_for(asyncio.to_thread(ask), STORE_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("the table does not say how a call goes on", extra={"call_sid": webhook.call_sid})
        return Ended.NORMALLY if webhook.caller_is_gone else Ended.DROPPED
