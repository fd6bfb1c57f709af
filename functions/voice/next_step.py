"""What happens to a call when its stream has ended: it is over, or goes on with another worker or with a person."""

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
# For reading the escalation before a transfer. Short, because a person waits for the caller.
ESCALATION_LIMIT_S = 1.5

# How long a lost call waits before each of its resumptions. The first one is at once, because the next worker is
# usually healthy. But the load balancer may choose the dead worker again, which has the fewest calls, until ECS has
# deregistered its task (seconds) or, if its host hangs, two health checks have failed (14 s with those in
# template.yaml). It does not try another worker by itself, so the last resumption must come after that.
PAUSES_S = (0, 5, 10)

Cause = Literal["lost", "moved", "returned"]


class Ended(Enum):
    """The call does not go on."""

    NORMALLY = "normally"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Resumption:
    """The call goes on with the agent: its worker was lost or has moved it, or a person has returned it.

    `number` is how many resumptions the call has had, including this one. A return does not count as one.
    """

    cause: Cause
    number: int

    @property
    def pause_s(self) -> int:
        """How long to wait before it. Only a lost call waits, since the load balancer may choose its dead worker."""
        return PAUSES_S[min(self.number, len(PAUSES_S)) - 1] if self.cause == "lost" else 0


@dataclass(frozen=True)
class Transfer:
    """The call goes on with a person, who has accepted this escalation and waits for the caller."""

    escalation_id: str


async def after_stream(webhook: Webhook, settings: VoiceSettings) -> Ended | Resumption | Transfer:
    """Decides what happens to a call whose stream has ended.

    Without a recorded end, its worker died or never admitted the stream, so the call is resumed. If the table does not
    answer, the call counts as dropped: a needless callback is better than none, and a resumption that cannot be counted
    might be repeated without limit.
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
    if isinstance(following, Transfer) and not await _person_waits(following.escalation_id, settings):
        return await after_transfer(webhook, settings)
    return following


async def after_transfer(webhook: Webhook, settings: VoiceSettings) -> Ended | Resumption | Transfer:
    """Returns a call that was with a person, or waited for one, to the agent, unless the caller has hung up.

    Each transfer allows one return, which does not count as a resumption. If Twilio repeats the request because the
    answer got lost, that return is used up, and the call is resumed instead, which counts.
    """

    def look_up(calls: CallStore) -> Ended | Resumption:
        if (so_far := calls.try_return(webhook.call_sid)) is not None:
            return Resumption("returned", so_far)
        return _resume(calls, webhook.call_sid, "returned", settings)

    return await _ask_table(webhook, settings, look_up)


async def _person_waits(escalation_id: str, settings: VoiceSettings) -> bool:
    """Whether the person to whom the caller is transferred is still on the phone.

    If they have just hung up, nobody would join the caller in the conference. True if the table does not answer: the
    caller goes to the conference, and the escalation policy returns them if nobody joins.
    """
    # Imported late, so that the other calls do not wait until it is loaded.
    from shared.escalations.store import EscalationStore

    escalations = EscalationStore(settings.table_name, client("dynamodb"))
    try:
        record = await asyncio.wait_for(asyncio.to_thread(escalations.get, escalation_id), ESCALATION_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("it is not known whether a person waits", extra={"escalation_id": escalation_id})
        return True
    return record is None or record.awaits_caller


def _resume(calls: CallStore, call_sid: str, cause: Cause, settings: VoiceSettings) -> Ended | Resumption:
    if number := calls.try_resume(call_sid, settings.max_resumes):
        return Resumption(cause, number)
    calls.has_failed(call_sid)  # so that no person on call waits for this caller, whose call ends now
    return Ended.DROPPED


async def _ask_table(
    webhook: Webhook, settings: VoiceSettings, look_up: Callable[[CallStore], Ended | Resumption | Transfer]
) -> Ended | Resumption | Transfer:
    # Before the time limit starts, which is for the table only: loading boto3 can take long on a busy machine.
    calls = CallStore(settings.table_name, await asyncio.to_thread(client, "dynamodb"))

    def ask() -> Ended | Resumption | Transfer:
        if not webhook.caller_is_gone:
            return look_up(calls)
        calls.caller_has_gone(webhook.call_sid)  # so that a person who waits for them learns of it
        return Ended.NORMALLY

    try:
        return await asyncio.wait_for(asyncio.to_thread(ask), STORE_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("it is not known how a call ended", extra={"call_sid": webhook.call_sid})
        return Ended.NORMALLY if webhook.caller_is_gone else Ended.DROPPED
