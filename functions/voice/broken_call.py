"""What follows for a call that broke off and cannot go on: a person who calls back."""

import asyncio
from datetime import UTC, datetime

from functions.voice.settings import VoiceSettings
from shared.aws_clients import client
from shared.escalation import Escalation, escalation_id_for
from shared.escalation_queue import EscalationNotSent, EscalationQueue
from shared.logs import logger, metric
from shared.webhook import Webhook

log = logger("voice")

# Twilio waits 15 s for an answer, and a caller listens to silence meanwhile. With the limit of `stream_end` this leaves
# room for a cold start.
QUEUE_LIMIT_S = 7.0


async def escalate(webhook: Webhook, settings: VoiceSettings) -> bool:
    """Asks for a person to call back; returns whether the queue has it.

    It is the call's first escalation, under the same id as the agent's own would have: when the worker died after it
    had sent one, nobody is alerted twice.
    """
    escalation = Escalation(
        escalation_id=escalation_id_for(webhook.call_sid),
        call_sid=webhook.call_sid,
        caller=webhook.caller,
        called=webhook.called,
        reason="call_failed",
        summary="The call broke off because of a fault on our side. What it was about is not known.",
        urgency="normal",
        transcript=[],
        language=settings.language,
        created_at=datetime.now(UTC),
    )

    def send() -> None:
        EscalationQueue(settings.escalation_queue_url, client("sqs")).send(escalation)

    try:
        await asyncio.wait_for(asyncio.to_thread(send), QUEUE_LIMIT_S)
    except (EscalationNotSent, TimeoutError):
        log.exception("an escalation could not be sent", extra={"call_sid": webhook.call_sid})
        metric("voice", "EscalationsNotSent")
        return False
    metric("voice", "EscalationsSent")
    return True
