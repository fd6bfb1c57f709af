"""What follows for a call that broke off and cannot go on: a person who calls back."""

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

# Twilio waits 15 s for an answer, and a caller listens to silence meanwhile. With the limit of `stream_end` these leave
# room for a cold start.
READ_LIMIT_S = 1.5
QUEUE_LIMIT_S = 6.0

SUMMARY = "The call broke off because of a fault on our side."


async def escalate(webhook: Webhook, settings: VoiceSettings) -> bool:
    """Asks for a person to call back; returns whether the queue has it.

    It has the same id as the agent's own would have: when the worker died after it had sent one, nobody is alerted
    twice. One that is over is not it; nobody would look at that again.
    """
    turns, number = await asyncio.gather(
        _last_turns(webhook.call_sid, settings), _escalation_number(webhook.call_sid, settings)
    )
    escalation = Escalation(
        escalation_id=escalation_id_for(webhook.call_sid, number),
        call_sid=webhook.call_sid,
        caller=webhook.caller,
        called=webhook.called,
        reason=CALL_FAILED,
        summary=f"{SUMMARY} What it was about {'is in the transcript' if turns else 'is not known'}.",
        urgency="normal",
        transcript=turns,
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


async def _last_turns(call_sid: str, settings: VoiceSettings) -> list[TranscriptEntry]:
    """What was said last, as far as it was kept. An escalation without it is better than none."""

    def read() -> dict[int, TranscriptEntry]:
        return CallStore(settings.table_name, client("dynamodb")).turns(call_sid)

    try:
        kept = await asyncio.wait_for(asyncio.to_thread(read), READ_LIMIT_S)
    except (StoreUnavailable, TimeoutError):
        log.exception("what was said cannot be read", extra={"call_sid": call_sid})
        return []
    return [turn for turn in kept.values() if turn.role != "tool" and turn.text][-TRANSCRIPT_TURNS:]


async def _escalation_number(call_sid: str, settings: VoiceSettings) -> int:
    """That of the call's escalation that is open, or of its next one. Nearly always there was none before."""
    # Most calls do not break, and none of them is to wait until this is loaded.
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
