"""The ways to alert people. Each knows how to send one alert to one place, and whether it was accepted there."""

from dataclasses import dataclass
from typing import Protocol

from functions.alerts.alert import Alert
from functions.alerts.settings import AlertsSettings
from shared.aws_clients import client, failures_as
from shared.phone_numbers import mask
from shared.telephony import SmsNotAccepted, Telephony


class AlertNotAccepted(Exception):
    """An alert was not accepted; says why, without phone numbers."""


class Channel(Protocol):
    """One way to one place."""

    @property
    def key(self) -> str:
        """What makes an alert this one and no other, such as the number that it goes to."""

    @property
    def name(self) -> str:
        """What a log may call it."""

    def send(self, alert: Alert) -> str:
        """Sends the alert and returns the id that it was accepted under; blocks for some seconds at most.

        Raises:
            AlertNotAccepted: when it was not, or when nobody can tell.
        """


@dataclass(frozen=True)
class Sms:
    """A text message to one person, through Twilio."""

    telephony: Telephony
    to: str
    from_: str

    @property
    def key(self) -> str:
        """The number."""
        return f"sms {self.to}"

    @property
    def name(self) -> str:
        """The masked number."""
        return f"sms {mask(self.to)}"

    def send(self, alert: Alert) -> str:
        """Sends the alert's text and returns the message's sid."""
        try:
            return self.telephony.send_sms(self.to, self.from_, alert.text)
        except SmsNotAccepted as refusal:
            raise AlertNotAccepted(str(refusal)) from refusal


@dataclass(frozen=True)
class Topic:
    """An SNS topic, to which mail addresses, chat bots and pagers subscribe."""

    arn: str

    @property
    def key(self) -> str:
        """The topic."""
        return f"sns {self.arn}"

    @property
    def name(self) -> str:
        """The topic."""
        return self.key

    def send(self, alert: Alert) -> str:
        """Publishes the alert and returns the publication's id."""
        with failures_as(AlertNotAccepted, "publishing to the topic"):
            published = client("sns").publish(TopicArn=self.arn, Subject=alert.subject, Message=alert.text)
        return published["MessageId"]


def channels(settings: AlertsSettings) -> list[Channel]:
    """Every way to every place that is configured."""
    telephony = Telephony(settings.twilio_account_sid, settings.twilio_auth_token, api_url=settings.twilio_api_url)
    # Without a number to send from the settings have nobody to send to.
    found: list[Channel] = [Sms(telephony, to, settings.alert_from or "") for to in settings.on_call_numbers]
    if settings.alert_topic_arn:
        found.append(Topic(settings.alert_topic_arn))
    return found
