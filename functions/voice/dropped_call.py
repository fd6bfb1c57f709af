"""Escalates a dropped call that cannot be resumed, so that a person calls back."""

import asyncio
from datetime import UTC, datetime

from functions.voice.settings import VoiceSettings
from shared.aws_clients import client
from shared.calls.store import CallStore, StoreUnavailable
from shared.calls.transcript import TranscriptEntry
from shared.escalations.queue import EscalationNotSent, EscalationQueue
from shared.escalations.request import CALL_FAILED, TRANSCRIPT_TURNS, Escalation, escalation_id_for
from shared.logs import logger, metric
from shared.twilio.webhook import Webhook

log = logger("voice")

# Twilio waits 15 s for an answer, while the caller hears silence. Together with `next_step.STORE_LIMIT_S` these limits
# leave time for a cold start.
READ_LIMIT_S = 1.5
QUEUE_LIMIT_S = 6.0

SUMMARY = "The call broke off because of a fault on our side."


async def escalate(webhook: Webhook, settings: VoiceSettings) -> bool:
    """Sends an escalation that asks for a callback; returns whether the queue has accepted it.

    It has the id that the agent's own escalation has or would have. So nobody is alerted twice if the worker died after
    it had sent one. If the call's last escalation was handled, it gets the next id, because that one would not be
    alerted about again.
    """
    entries, number = await asyncio.gather(
        _last_entries(webhook.call_sid, settings), _escalation_number(webhook.call_sid, settings)
    )
    escalation = Escalation(
        escalation_id=escalation_id_for(webhook.call_sid, number),
        call_sid=webhook.call_sid,
        caller=webhook.caller,
        called=webhook.called,
        reason=CALL_FAILED,
        summary=f"{SUMMARY} What it was about {'is in the transcript' if entries else 'is not known'}.",
        urgency="normal",
        transcript=entries,
        language=settings.language,
        created_at=datetime.now(UTC),
    )

    queue = EscalationQueue(settings.escalation_queue_url, await asyncio.to_thread(client, "sqs"))
    try:
        await asyncio.wait_for(asyncio.to_thread(queue.send, escalation), QUEUE_LIMIT_S)
    except (EscalationNotSent, TimeoutError):
        log.exception("an escalation could not be sent", extra={"call_sid": webhook.call_sid})
        metric("voice", "EscalationsNotSent")
        return False
    metric("voice", "EscalationsSent")
    return True


async def _last_entries(call_sid: str, settings: VoiceSettings) -> list[TranscriptEntry]:
    """The last transcript entries; none if they cannot be read, since the escalation is sent anyway."""

    def read() -> dict[int, TranscriptEntry]:
        return CallStore(settings.table_name, client("dynamodb")).turns(call_sid)

    try:
        kept = await asyncio.wait_for(asyncio.to_thread(read), READ_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("a call's transcript cannot be read", extra={"call_sid": call_sid})
        return []
    return [entry for entry in kept.values() if entry.role != "tool" and entry.text][-TRANSCRIPT_TURNS:]


async def _escalation_number(call_sid: str, settings: VoiceSettings) -> int:
    """The number of the call's open escalation, or of its next one; 1 if the table does not answer."""
    # Imported late, so that the other calls do not wait until it is loaded.
    from shared.escalations.record import HANDLED
    from shared.escalations.store import EscalationStore

    def read() -> int:
        records = EscalationStore(settings.table_name, client("dynamodb")).of_call(call_sid)
        return len(records) + (not records or records[-1].status in HANDLED)

    try:
        return await asyncio.wait_for(asyncio.to_thread(read), READ_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("a call's escalations cannot be read", extra={"call_sid": call_sid})
        return 1
