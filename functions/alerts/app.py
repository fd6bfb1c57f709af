"""The alerts function: takes escalations from one queue, reminders from another, and alerts the people on call.

A message succeeds when at least one alert was accepted or a callback is promised. Each other message is reported as
failed by itself: the queue delivers it again and in the end moves it to the dead-letter queue, which has an alarm. A
body that cannot be read fails in the same way, because it may be in a newer format: during a deployment the sender may
be updated some minutes before this function.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from functions.alerts.escalation_policy import EscalationPolicy
from functions.alerts.idempotency import SendOnce
from shared.aws_clients import client
from shared.calls.store import CallStore
from shared.escalations.caller_return import CallerReturn
from shared.escalations.metrics import record_transition
from shared.escalations.record import EscalationRecord
from shared.escalations.reminders import InvalidReminder, Reminder, ReminderQueue
from shared.escalations.request import Escalation, NotAnEscalation
from shared.escalations.store import EscalationStore
from shared.logs import logger, metric
from shared.on_call.settings import settings
from shared.on_call.store import RosterStore
from shared.twilio.rest import Telephony

log = logger("alerts")

# If every message of a batch fails, the answer still lists them. An exception would report the failure twice.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Handles one batch of either queue; returns `batchItemFailures`.

    Raises:
        SettingsError: when the settings are wrong. The whole batch is then delivered again.
    """
    _send_once().begin(context)
    return process_partial_response(event, handle_message, processor, context)


def handle_message(record: SQSRecord) -> None:
    """Handles one message; any exception makes the message fail."""
    try:
        if _queue_of(record) == settings().reminder_queue_url.rpartition("/")[2]:
            _policy().check(_reminder(record))
        else:
            _policy().begin(Escalation.from_json(record.body))
    except (NotAnEscalation, InvalidReminder) as why:
        log.error("a message is neither an escalation nor a reminder: %s", why, extra={"message_id": record.message_id})  # noqa: TRY400 # no trace is needed
        metric("alerts", "InvalidMessages")
        raise
    except Exception:
        log.exception("an escalation was not handled", extra={"message_id": record.message_id})
        metric("alerts", "EscalationsFailed")
        raise


def _reminder(record: SQSRecord) -> Reminder:
    reminder = Reminder.from_json(record.body)
    # If it was delivered before, that invocation may have died before it sent the next reminder.
    redelivered = int(record.attributes.approximate_receive_count) > 1
    return reminder.model_copy(update={"again": True}) if redelivered else reminder


def _queue_of(record: SQSRecord) -> str:
    return str(record.get("eventSourceARN", "")).rpartition(":")[2]


@cache
def _policy() -> EscalationPolicy:
    chosen, dynamodb = settings(), client("dynamodb")
    telephony = Telephony(chosen.twilio_account_sid, chosen.twilio_auth_token, api_url=chosen.twilio_api_url)
    calls = CallStore(chosen.table_name, dynamodb)
    caller_return = CallerReturn("alerts", chosen.public_url, calls, lambda: telephony)

    def changed(before: EscalationRecord | None, after: EscalationRecord) -> None:
        record_transition("alerts", before, after)
        caller_return.after(before, after)

    return EscalationPolicy(
        chosen,
        EscalationStore(chosen.table_name, dynamodb, changed),
        ReminderQueue(chosen.reminder_queue_url, client("sqs")),
        RosterStore(chosen.table_name, dynamodb, "alerts"),
        telephony,
        _send_once(),
        caller_return,
    )


@cache
def _send_once() -> SendOnce:
    return SendOnce(settings().table_name, client("dynamodb"))
