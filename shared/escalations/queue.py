"""The queue of escalations. The agent promises a person to the caller only after `send` has returned."""

from typing import TYPE_CHECKING

from shared.aws_clients import translate_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from shared.escalations.request import Escalation


class EscalationNotSent(Exception):
    """SQS did not confirm the escalation; the exception's cause says why.

    It may have arrived all the same. It may be sent again: its id prevents a second alert.
    """


class EscalationQueue:
    """Sends escalations. Blocking: from an event loop, call it in a thread."""

    def __init__(self, queue_url: str, client: "SQSClient") -> None:
        self._queue_url = queue_url
        self._client = client

    def send(self, escalation: "Escalation") -> str:
        """Puts the escalation into the queue and returns SQS's id of the message. Takes 7 s at worst (`aws_clients`).

        Raises:
            EscalationNotSent: when SQS did not confirm it.
        """
        with translate_errors(EscalationNotSent, "sending an escalation"):
            sent = self._client.send_message(QueueUrl=self._queue_url, MessageBody=escalation.to_json())
        return sent["MessageId"]
