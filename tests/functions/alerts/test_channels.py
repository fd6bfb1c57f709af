"""The channels, against the emulator and an HTTP server."""

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from functions.alerts.alert import Alert
from functions.alerts.channels import AlertNotAccepted, Channel, Topic, channels, text_channels
from shared.escalations.callback_numbers import NO_LISTS
from shared.on_call.roster import ChannelName, Person
from shared.on_call.settings import settings
from shared.twilio.rest import Telephony
from tests.escalations import CALLED, CALLER, escalation
from tests.functions.alerts.lambda_events import ALERT_FROM, ANNA
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

LINK = "https://api.example.com/desk/token"
ALERT = Alert.about(escalation(), LINK, NO_LISTS)
ARN = "arn:aws:sns:us-east-1:000000000000:bellhop-alerts"
MARIA = Person(id="maria", name="Maria", phone=ANNA, channels=("phone", "sms", "sns"), topic_arn=ARN)


def of(rest: TwilioRest, person: Person = MARIA, **changed: Any) -> list[Channel]:
    """A person's channels."""
    telephony = Telephony("AC1", SecretStr("token"), rest.url)
    return channels(person, telephony, settings().model_copy(update=changed))


@pytest.mark.usefixtures("environ")
def test_whatever_a_person_wants(rest: TwilioRest) -> None:
    """In the roster's order; the names for logs have masked numbers."""
    assert [channel.name for channel in of(rest)] == ["phone +1********01", "sms +1********01", f"sns {ARN}"]
    assert [channel.key for channel in of(rest)] == [f"phone {ANNA}", f"sms {ANNA}", f"sns {ARN}"]


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [(("phone", "sms", "sns"), ["sms", "sns"]), (("phone", "sns"), ["sns"]), (("phone",), ["sms"])],
)
def test_what_can_be_read_later(rest: TwilioRest, chosen: tuple[ChannelName, ...], expected: list[str]) -> None:
    """A promise is not told by a phone call; a person with only a phone gets an SMS."""
    person = MARIA.model_copy(update={"channels": chosen})
    found = text_channels(person, Telephony("AC1", SecretStr("token"), rest.url), settings())
    assert [channel.key.split()[0] for channel in found] == expected


@pytest.mark.usefixtures("environ")
class TestSms:
    """Sms"""

    def test_accepted(self, rest: TwilioRest) -> None:
        """The text goes to the one person, from our number."""
        assert of(rest)[1].send(ALERT).startswith("SM")
        (sent,) = rest.messages
        assert (sent["To"], sent["From"], sent["Body"]) == (ANNA, ALERT_FROM, ALERT.text)

    def test_refused(self, rest: TwilioRest) -> None:
        """The error says what Twilio said, without numbers."""
        rest.refuse[ANNA] = 400
        with pytest.raises(AlertNotAccepted, match="21211") as error:
            of(rest)[1].send(ALERT)
        assert ANNA not in str(error.value)


@pytest.mark.usefixtures("environ")
class TestPhone:
    """Phone"""

    def test_accepted(self, rest: TwilioRest) -> None:
        """The phone rings for some seconds; Twilio's requests about the call go to URLs under the person's link."""
        assert of(rest)[0].send(ALERT).startswith("CA")
        (call,) = rest.calls
        assert (call["To"], call["From"], call["Timeout"]) == (ANNA, ALERT_FROM, "25")
        assert (call["Url"], call["StatusCallback"]) == (f"{LINK}/offer", f"{LINK}/leg-ended")

    @pytest.mark.parametrize("alert_from", ["MG" + "0" * 32, None])
    def test_no_number_to_call_from(self, rest: TwilioRest, alert_from: str | None) -> None:
        """A messaging service cannot place calls, so the call comes from the number that the caller called."""
        of(rest, alert_from=alert_from)[0].send(ALERT)
        assert rest.calls[0]["From"] == CALLED

    def test_refused(self, rest: TwilioRest) -> None:
        """The error says what Twilio said, without numbers."""
        rest.refuse[ANNA] = 503
        with pytest.raises(AlertNotAccepted, match="20503") as error:
            of(rest)[0].send(ALERT)
        assert ANNA not in str(error.value)


@pytest.mark.usefixtures("environ")
class TestTopic:
    """Topic"""

    def test_accepted(self, sns: "SNSClient", sqs: "SQSClient", queue: str) -> None:
        """Subscribers get the text and a subject."""
        arn = sns.create_topic(Name=f"alerts-{uuid4().hex}")["TopicArn"]
        queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
        assert Topic(arn).send(ALERT)
        (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
        published = json.loads(message["Body"])
        assert (published["Subject"], published["Message"]) == (ALERT.subject, ALERT.text)
        assert CALLER in published["Message"]

    def test_no_topic(self) -> None:
        """A topic that does not exist accepts nothing."""
        with pytest.raises(AlertNotAccepted, match="publishing to the topic"):
            Topic("arn:aws:sns:us-east-1:000000000000:no-such-topic").send(ALERT)
