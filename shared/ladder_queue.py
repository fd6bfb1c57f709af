"""The ladder's queue: messages that come back when an escalation is to be looked at again.

A message is only a reminder. What is to be done, and whether anything is, stands in the life; so one too many does no
harm, and one that comes too early puts itself into the queue once more.
"""

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from shared.aws_clients import failures_as
from shared.escalation_life import Life

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# SQS delays no message for longer.
LONGEST_DELAY_S = 900


class LookNotSent(Exception):
    """SQS did not confirm the reminder; its cause says why. It may have arrived all the same, and may be sent again."""


class NotALook(ValueError):
    """A message of the queue is not a reminder. Says which fields are wrong, and never what they hold."""


class Look(BaseModel):
    """One reminder: which escalation, which version of its life it was sent for, and whether for the call-back list."""

    escalation_id: Annotated[str, Field(min_length=1)]
    version: int
    listed: bool = False

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

    def look_at(self, life: Life) -> None:
        """Has the ladder look at this life when it is due, to be called after each change of one.

        What is on the call-back list is looked at too, every quarter of an hour, so that somebody hears of a caller who
        waits for too long; what is resolved is not.

        Raises:
            LookNotSent: when SQS did not confirm it.
        """
        if not life.open:
            return
        seconds = ceil((life.due - datetime.now(UTC)).total_seconds()) if life.due else LONGEST_DELAY_S
        look = Look(escalation_id=life.escalation.escalation_id, version=life.version, listed=life.due is None)
        with failures_as(LookNotSent, "sending a reminder"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=look.model_dump_json(),
                DelaySeconds=min(max(seconds, 0), LONGEST_DELAY_S),
            )
