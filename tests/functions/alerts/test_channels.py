"""The channels, against the emulator and a real HTTP server."""

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from functions.alerts.alert import Alert
from functions.alerts.channels import AlertNotAccepted, Topic, channels
from functions.alerts.settings import settings
from tests.escalations import CALLER, escalation
from tests.functions.alerts.lambda_events import ALERT_FROM, ANNA, BORIS
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

ALERT = Alert.about(escalation())


def test_what_is_configured(environ: pytest.MonkeyPatch) -> None:
    """Everybody on call by SMS, and the topic if there is one; names for logs, with the numbers masked."""
    assert [channel.name for channel in channels(settings())] == ["sms +1********01", "sms +1********02"]
    assert [channel.key for channel in channels(settings())] == [f"sms {ANNA}", f"sms {BORIS}"]
    environ.setenv("ALERT_TOPIC_ARN", "arn:aws:sns:us-east-1:000000000000:alerts")
    settings.cache_clear()
    assert channels(settings())[2].name == "sns arn:aws:sns:us-east-1:000000000000:alerts"


@pytest.mark.usefixtures("environ")
class TestSms:
    """Sms"""

    def test_accepted(self, rest: TwilioRest) -> None:
        """The text goes to the one person, from our number."""
        anna, _ = channels(settings())
        assert anna.send(ALERT).startswith("SM")
        (sent,) = rest.messages
        assert (sent["To"], sent["From"], sent["Body"]) == (ANNA, ALERT_FROM, ALERT.text)

    def test_refused(self, rest: TwilioRest) -> None:
        """The error says what Twilio said, without numbers."""
        rest.refuse[ANNA] = 400
        anna, _ = channels(settings())
        with pytest.raises(AlertNotAccepted, match="21211") as error:
            anna.send(ALERT)
        assert ANNA not in str(error.value)


@pytest.mark.usefixtures("environ")
class TestTopic:
    """Topic"""

    def test_accepted(self, sns: "SNSClient", sqs: "SQSClient", queue: str) -> None:
        """Whoever subscribes gets the text and a subject."""
        arn = sns.create_topic(Name=f"alerts-{uuid4().hex}")["TopicArn"]
        queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
        assert Topic(arn).send(ALERT)
        (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
        published = json.loads(message["Body"])
        assert (published["Subject"], published["Message"]) == (ALERT.subject, ALERT.text)
        assert CALLER in published["Message"]

    def test_no_topic(self) -> None:
        """A topic that is not there has not accepted anything."""
        with pytest.raises(AlertNotAccepted, match="publishing to the topic"):
            Topic("arn:aws:sns:us-east-1:000000000000:no-such-topic").send(ALERT)
