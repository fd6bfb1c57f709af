"""The ladder's queue: messages that come back when an escalation is to be looked at again.

A message is only a reminder. What is to be done, and whether anything is, stands in the record. A reminder says for which
look it was sent, and a record counts its looks: the first reminder to come makes the look and sends the next one, and any
other for the same look is dropped. So there may be one for each change, and some may come twice: they do not add up.
"""

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from shared.aws_clients import failures_as
from shared.escalations.record import EscalationRecord

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# SQS delays no message for longer.
LONGEST_DELAY_S = 900


class LookNotSent(Exception):
    """SQS did not confirm the reminder; its cause says why. It may have arrived all the same, and may be sent again."""


class NotALook(ValueError):
    """A message of the queue is not a reminder. Says which fields are wrong, and never what they hold."""


class Look(BaseModel):
    """One reminder: of which escalation, and for which of its looks.

    `again` says that the look was begun before and may not have come to its end, since this reminder comes once more.
    """

    escalation_id: Annotated[str, Field(min_length=1)]
    look: Annotated[int, Field(ge=0)]
    again: bool = False

    @classmethod
    def from_json(cls, body: str) -> "Look":
        """The reminder in a message's body; raises NotALook."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            complaints = [f"{'.'.join(map(str, d['loc'])) or 'body'}: {d['msg']}" for d in error.errors()]
        raise NotALook("; ".join(complaints))


class LadderQueue:
    """Sends reminders. Blocking."""

    def __init__(self, queue_url: str, client: "SQSClient") -> None:
        self._queue_url = queue_url
        self._client = client

    def look_at(self, record: EscalationRecord) -> None:
        """Has the ladder look at this record when that is due, to be called after each change of one.

        What is on the call-back list is looked at too, every quarter of an hour, so that somebody hears of a caller who
        waits for too long; what is resolved is not, unless its caller is to be fetched back.

        Raises:
            LookNotSent: when SQS did not confirm it.
        """
        if not record.needs_checks:
            return
        due = record.next_check_at
        seconds = ceil((due - datetime.now(UTC)).total_seconds()) if due else LONGEST_DELAY_S
        self._send(Look(escalation_id=record.escalation.escalation_id, look=record.checks), seconds)

    def once_more(self, look: Look, after_s: int) -> None:
        """Brings a reminder again whose look could not be made, sooner than the queue does by itself.

        Raises:
            LookNotSent: when SQS did not confirm it.
        """
        self._send(look.model_copy(update={"again": True}), after_s)

    def _send(self, look: Look, after_s: int) -> None:
        with failures_as(LookNotSent, "sending a reminder"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=look.model_dump_json(),
                DelaySeconds=min(max(after_s, 0), LONGEST_DELAY_S),
            )
