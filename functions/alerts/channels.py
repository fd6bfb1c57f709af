"""Channels: the ways to alert a person. Each sends one alert to one place and tells whether it was accepted."""

from dataclasses import dataclass
from typing import Protocol

from functions.alerts.alert import Alert
from shared.aws_clients import client, translate_errors
from shared.numbers.phone_numbers import mask
from shared.on_call.roster import ChannelName, Person
from shared.on_call.settings import OnCallSettings
from shared.twilio.rest import CallNotPlaced, SmsNotAccepted, Telephony

# About five rings. A voicemail that picks up sooner hears the offer and presses no key, so it accepts no call.
RINGS_S = 25


class AlertNotAccepted(Exception):
    """An alert was not accepted; says why, without phone numbers."""


class Channel(Protocol):
    """One way to send alerts to one place."""

    @property
    def kind(self) -> ChannelName:
        """The roster's name for channels of this kind."""

    @property
    def key(self) -> str:
        """The place that alerts go to, such as a number; part of the idempotency key."""

    @property
    def name(self) -> str:
        """Its name for logs, with numbers masked."""

    def send(self, alert: Alert) -> str:
        """Sends the alert and returns the id under which it was accepted. Blocks for some seconds at most.

        Raises:
            AlertNotAccepted: when it was refused, or when it is not known whether it was accepted.
        """


@dataclass(frozen=True)
class Sms:
    """A text message to one person, through Twilio."""

    telephony: Telephony
    to: str
    from_: str

    @property
    def kind(self) -> ChannelName:
        """`sms`."""
        return "sms"

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
    def kind(self) -> ChannelName:
        """`sns`."""
        return "sns"

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
        with translate_errors(AlertNotAccepted, "publishing to the topic"):
            published = client("sns").publish(TopicArn=self.arn, Subject=alert.subject, Message=alert.text)
        return published["MessageId"]


@dataclass(frozen=True)
class Phone:
    """A call to one person, who hears who the caller is and why they call, and presses a key."""

    telephony: Telephony
    to: str
    settings: OnCallSettings

    @property
    def kind(self) -> ChannelName:
        """`phone`."""
        return "phone"

    @property
    def key(self) -> str:
        """The number."""
        return f"phone {self.to}"

    @property
    def name(self) -> str:
        """The masked number."""
        return f"phone {mask(self.to)}"

    def send(self, alert: Alert) -> str:
        """Rings the phone and returns the call's sid. The desk answers Twilio's requests about this call."""
        from_ = self.settings.caller_id_for(alert.escalation.called)
        try:
            return self.telephony.call(self.to, from_, f"{alert.link}/offer", f"{alert.link}/leg-ended", RINGS_S)
        except CallNotPlaced as refusal:
            raise AlertNotAccepted(str(refusal)) from refusal


def channels(person: Person, telephony: Telephony, settings: OnCallSettings) -> list[Channel]:
    """The channels that the roster has for a person, in its order."""
    channels_by_name: dict[ChannelName, Channel] = {
        "sms": Sms(telephony, person.phone or "", settings.alert_from or ""),
        "phone": Phone(telephony, person.phone or "", settings),
        "sns": Topic(person.topic_arn or ""),
    }
    return [channels_by_name[name] for name in person.channels]


def text_channels(person: Person, telephony: Telephony, settings: OnCallSettings) -> list[Channel]:
    """A person's channels for what can be read later. For a person with only a phone call, that is an SMS."""
    found = [channel for channel in channels(person, telephony, settings) if not isinstance(channel, Phone)]
    return found or [Sms(telephony, person.phone or "", settings.alert_from or "")]
