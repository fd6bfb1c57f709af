"""The queue of escalations, against the emulator."""

from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from local.stack.emulator import REGION
from shared.escalations.queue import EscalationNotSent, EscalationQueue
from shared.escalations.request import Escalation
from tests.escalations import escalation

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def test_what_is_sent_arrives(queue: str, sqs: "SQSClient") -> None:
    """The body is the escalation message; `send` returns SQS's id of it."""
    sent = escalation(summary="Möchte 20 € zurück")
    message_id = EscalationQueue(queue, sqs).send(sent)
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["MessageId"] == message_id
    assert Escalation.from_json(message["Body"]) == sent


def test_no_queue(sqs: "SQSClient", queue: str) -> None:
    """A missing queue raises our error, with the SDK's as the cause."""
    with pytest.raises(EscalationNotSent) as error:
        EscalationQueue(f"{queue}-of-others", sqs).send(escalation())
    assert error.value.__cause__ is not None


def test_nobody_answers(queue: str) -> None:
    """A network failure raises the same error."""
    once = Config(retries={"total_max_attempts": 1})
    nobody = boto3.client(
        "sqs",
        endpoint_url="http://127.0.0.1:9",
        region_name=REGION,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=once,
    )
    with pytest.raises(EscalationNotSent, match=r"127\.0\.0\.1:9"):
        EscalationQueue(queue, nobody).send(escalation())
