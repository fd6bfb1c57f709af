"""The alerts function: takes escalations from the queue and alerts the people on call.

A message is done when at least one alert was accepted. Any other is reported as failed, one by one: the queue delivers
it again and in the end moves it to its dead-letter queue, where an alarm waits. That goes for a body that is not an
escalation too, though it will hardly become one: it may be the message of a newer part, in the minutes in which a
deployment has replaced that part and not yet this one.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from functions.alerts.alert import Alert
from functions.alerts.channels import channels
from functions.alerts.fan_out import alert_everybody
from functions.alerts.once import Once
from functions.alerts.settings import settings
from shared.aws_clients import client
from shared.escalation import Escalation, NotAnEscalation
from shared.escalation_store import EscalationStore
from shared.logs import logger, metric

log = logger("alerts")

# Also when every message of a batch fails, the answer says so message by message; to raise would report it twice.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class NobodyAlerted(Exception):
    """No channel accepted the alert."""


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Handles one batch of the queue; returns `batchItemFailures`.

    Raises:
        SettingsError: when the settings are wrong, in which case all of the batch is delivered again.
    """
    _once().begin(context)
    return process_partial_response(event, handle_message, processor, context)


def handle_message(record: SQSRecord) -> None:
    """Alerts everybody about the escalation in one message; raises what makes the message fail."""
    try:
        escalation = Escalation.from_json(record.body)
        handle_escalation(escalation)
    except NotAnEscalation as why:
        log.error("a message is not an escalation: %s", why, extra={"message_id": record.message_id})  # noqa: TRY400 # no trace is needed
        metric("alerts", "NotEscalations")
        raise
    except Exception:
        log.exception("an escalation was not handled", extra={"message_id": record.message_id})
        metric("alerts", "EscalationsFailed")
        raise


def handle_escalation(escalation: Escalation) -> None:
    """Alerts everybody who has not been alerted about it, and keeps the escalation.

    Raises:
        NobodyAlerted: when no alert was accepted. The escalation is kept all the same.
        StoreUnavailable: when it could not be kept. The next delivery tries that again, and alerts nobody twice.
    """
    accepted = alert_everybody(Alert.about(escalation), channels(settings()), _once())
    EscalationStore(settings().table_name, client("dynamodb")).record(escalation, datetime.now(UTC))
    if not accepted:
        raise NobodyAlerted(f"nobody could be alerted about escalation {escalation.escalation_id}")


@cache
def _once() -> Once:
    return Once(settings().table_name, client("dynamodb"))
