"""Reminders: delayed messages that say when an escalation is to be checked.

A reminder says only which check of which escalation it is for; the escalation's record says what to do. A record counts
its checks: the first reminder for a check begins it and sends the next reminder; duplicates are dropped. So each change
of a record may send a reminder, and SQS may deliver one twice, without extra checks.
"""

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from shared.aws_clients import translate_errors
from shared.escalations.record import EscalationRecord

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The longest delay of an SQS message.
LONGEST_DELAY_S = 900


class ReminderNotSent(Exception):
    """SQS did not confirm the reminder; the cause says why. It may have arrived all the same, and may be sent again."""


class InvalidReminder(ValueError):
    """A message of the queue is not a reminder. Names the wrong fields, and never their values."""


class Reminder(BaseModel):
    """One reminder: which escalation, and which of its checks, the first being 0.

    `again`: the check was begun before and may not be finished.
    """

    escalation_id: Annotated[str, Field(min_length=1)]
    check: Annotated[int, Field(ge=0)]
    again: bool = False

    @classmethod
    def from_json(cls, body: str) -> "Reminder":
        """The reminder in a message's body; raises InvalidReminder."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            complaints = [f"{'.'.join(map(str, d['loc'])) or 'body'}: {d['msg']}" for d in error.errors()]
        raise InvalidReminder("; ".join(complaints))


class ReminderQueue:
    """Sends reminders. Blocking."""

    def __init__(self, queue_url: str, client: "SQSClient") -> None:
        self._queue_url = queue_url
        self._client = client

    def remind(self, record: EscalationRecord) -> None:
        """Sends the reminder for a record's next check. Call it after each change of the record.

        A record on the callback list is checked every 15 minutes, so that people are told of a caller who waits too
        long. A resolved one is not checked, unless its caller may be alone.

        Raises:
            ReminderNotSent: when SQS did not confirm it.
        """
        if not record.needs_checks:
            return
        due = record.next_check_at
        seconds = ceil((due - datetime.now(UTC)).total_seconds()) if due else LONGEST_DELAY_S
        self._send(Reminder(escalation_id=record.escalation.escalation_id, check=record.checks), seconds)

    def repeat(self, reminder: Reminder, after_s: int) -> None:
        """Sends a reminder again after its check failed, sooner than the queue would deliver it again.

        Raises:
            ReminderNotSent: when SQS did not confirm it.
        """
        self._send(reminder.model_copy(update={"again": True}), after_s)

    def _send(self, reminder: Reminder, after_s: int) -> None:
        with translate_errors(ReminderNotSent, "sending a reminder"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=reminder.model_dump_json(),
                DelaySeconds=min(max(after_s, 0), LONGEST_DELAY_S),
            )
