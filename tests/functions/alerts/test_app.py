"""The alerts function, with events as SQS delivers them."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.alerts import app
from functions.alerts.app import handler
from shared.escalations.store import EscalationStore
from shared.on_call.settings import settings
from shared.settings import SettingsError
from tests.escalations import CALLER, escalation
from tests.functions.alerts.lambda_events import ALERT_FROM, ANNA, BORIS, Context, deliver, message
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

pytestmark = pytest.mark.usefixtures("environ")


@pytest.fixture
def kept(table: str, dynamodb: "DynamoDBClient") -> EscalationStore:
    """The escalations that the function has kept."""
    return EscalationStore(table, dynamodb)


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """How often each metric was counted since this was last asked."""
    counted: dict[str, int] = {}
    for line in capsys.readouterr().out.splitlines():
        for directive in json.loads(line).get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                counted[metric["Name"]] = counted.get(metric["Name"], 0) + 1
    return counted


def alerted(rest: TwilioRest) -> list[str]:
    """Who has been sent an SMS, in order of their numbers and as often as they were."""
    return sorted(sent["To"] for sent in rest.messages)


class TestAnEscalation:
    """A message with an escalation in it."""

    @pytest.mark.parametrize("ours", [ANNA, BORIS, ALERT_FROM, "+442079460958"])
    def test_a_number_that_is_not_called_back(self, rest: TwilioRest, ours: str) -> None:
        """The phone of a person on call, the number that alerts come from, and one in a country that is not called."""
        assert deliver(message(escalation(callback_number=ours).to_json())) == []
        assert all(sent["Body"].startswith(f"Normal urgency: call {CALLER}. ") for sent in rest.messages)

    def test_countries_that_are_called(self, environ: pytest.MonkeyPatch, rest: TwilioRest) -> None:
        """The setting says which; no others are called."""
        environ.setenv("CALLBACK_COUNTRIES", "GB")
        for number, other in (("+442079460958", "+15550001111"), ("+12125550100", "+15550001112")):
            stated = escalation(escalation_id=f"E{other}", callback_number=number, caller=other)
            assert deliver(message(stated.to_json())) == []
        starts = {sent["Body"].partition(". ")[0] for sent in rest.messages}
        assert starts == {
            "Normal urgency: call +442079460958 (called from +15550001111)",
            "Normal urgency: call +15550001112",
        }

    def test_everybody_is_alerted(
        self, rest: TwilioRest, kept: EscalationStore, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Everybody on call gets the same text, the escalation is stored, and the message succeeds."""
        assert deliver(message(escalation(urgency="high").to_json())) == []
        assert alerted(rest) == [ANNA, BORIS]
        assert all(
            sent["Body"].startswith(f"URGENT: call {CALLER}. Caller's request: \"refund: ") for sent in rest.messages
        )
        record = kept.get(escalation().escalation_id)
        assert record is not None
        assert record.escalation == escalation(urgency="high")
        assert metrics(capsys) == {"AlertsAccepted": 2, "AlertedMs": 1}

    def test_the_topic_too(self, environ: pytest.MonkeyPatch, rest: TwilioRest, sns: "SNSClient") -> None:
        """A topic is one more channel."""
        environ.setenv("ALERT_TOPIC_ARN", sns.create_topic(Name="alerts")["TopicArn"])
        rest.refuse = {ANNA: 503, BORIS: 503}
        assert deliver(message(escalation().to_json())) == []

    def test_delivered_twice(self, rest: TwilioRest, capsys: pytest.CaptureFixture[str]) -> None:
        """In one batch and in the next: nobody is alerted twice."""
        twice = message(escalation().to_json()), message(escalation().to_json())
        assert deliver(*twice) == []
        assert deliver(*twice) == []
        assert alerted(rest) == [ANNA, BORIS]
        assert metrics(capsys) == {"AlertsAccepted": 2, "AlertedMs": 1}

    def test_two_escalations(self, rest: TwilioRest) -> None:
        """Two callers are two alerts."""
        assert deliver(message(escalation().to_json()), message(escalation(escalation_id="CA2-1").to_json())) == []
        assert alerted(rest) == [ANNA, ANNA, BORIS, BORIS]

    def test_a_later_revision(self, rest: TwilioRest, kept: EscalationStore) -> None:
        """It is stored, and nobody is alerted again."""
        assert deliver(message(escalation().to_json())) == []
        assert deliver(message(escalation(revision=2, summary="It is order 13.").to_json())) == []
        assert alerted(rest) == [ANNA, BORIS]
        latest = kept.get(escalation().escalation_id)
        assert latest is not None
        assert latest.escalation.summary == "It is order 13."


class TestChannelsThatFail:
    """Twilio refuses or does not answer."""

    def test_one_of_them(
        self, rest: TwilioRest, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The others are alerted and the message succeeds; log and metric record the failure."""
        rest.refuse[ANNA] = 400
        assert deliver(message(escalation().to_json())) == []
        assert alerted(rest) == [ANNA, BORIS]
        assert metrics(capsys) == {"AlertsAccepted": 1, "AlertsFailed": 1, "AlertedMs": 1}
        (line,) = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
        assert line["channel"] == "sms +1********01"
        assert "21211" in caplog.text

    def test_all_of_them(self, rest: TwilioRest, kept: EscalationStore, capsys: pytest.CaptureFixture[str]) -> None:
        """The message fails and is delivered again until somebody is alerted; the escalation is stored at once."""
        rest.refuse = {ANNA: 503, BORIS: 503}
        again = message(escalation().to_json())
        assert deliver(again) == [0]
        assert metrics(capsys) == {"AlertsFailed": 2, "EscalationsFailed": 1}
        assert kept.get(escalation().escalation_id) is not None
        rest.refuse = {ANNA: 503}
        assert deliver(again) == []
        rest.refuse = {}
        rest.messages.clear()
        assert deliver(again) == []
        assert alerted(rest) == []  # Boris was alerted, and has his time to accept

    def test_twilio_is_away(self, environ: pytest.MonkeyPatch) -> None:
        """The same as when Twilio refuses."""
        environ.setenv("TWILIO_API_URL", "http://127.0.0.1:9")
        assert deliver(message(escalation().to_json())) == [0]

    def test_a_mistake_of_ours(self, environ: pytest.MonkeyPatch, rest: TwilioRest) -> None:
        """An unexpected error in one channel stops no other channel."""
        environ.setenv("ALERT_TOPIC_ARN", "arn:aws:sns:us-east-1:000000000000:alerts")

        def fail(_: str) -> Any:
            raise ZeroDivisionError

        environ.setattr("functions.alerts.channels.client", fail)
        assert deliver(message(escalation().to_json())) == []
        assert alerted(rest) == [ANNA, BORIS]

    def test_each_message_counts_by_itself(self, environ: pytest.MonkeyPatch, rest: TwilioRest) -> None:
        """Only the messages that could not be handled fail, not their batch."""
        environ.setenv("ON_CALL_NUMBERS", ANNA)
        first, second, third = (message(escalation(escalation_id=f"CA{n}-1").to_json()) for n in range(3))
        assert deliver(second) == []
        rest.refuse = {ANNA: 503}
        assert deliver(first, second, third) == [0, 2]


class TestPoison:
    """A message that is not an escalation."""

    @pytest.mark.parametrize(
        "body", ["", "hello", "{}", '{"version": 2}', escalation().to_json().replace('"normal"', '"extreme"')]
    )
    def test_it_fails_alone(
        self, rest: TwilioRest, body: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The other messages are handled. This one fails, and so ends in the dead-letter queue."""
        poison = message(body)
        good = [message(escalation(escalation_id=f"CA{n}-1").to_json()) for n in range(2)]
        assert deliver(good[0], poison, good[1]) == [1]
        assert alerted(rest) == [ANNA, ANNA, BORIS, BORIS]
        assert metrics(capsys)["InvalidMessages"] == 1
        (line,) = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
        assert line["message_id"] == poison["messageId"]

    def test_a_batch_of_nothing_else(self) -> None:
        """The answer lists each message; nothing is raised."""
        assert deliver(message("a"), message("b")) == [0, 1]


class TestTheTableIsAway:
    """DynamoDB fails."""

    def test_altogether(self, environ: pytest.MonkeyPatch, rest: TwilioRest) -> None:
        """Nobody is alerted, since alerts could not be kept from going out twice; the message is delivered again."""
        environ.setenv("TABLE_NAME", "no-such-table")
        assert deliver(message(escalation().to_json())) == [0]
        assert rest.messages == []

    def test_for_the_escalation_only(
        self, environ: pytest.MonkeyPatch, rest: TwilioRest, kept: EscalationStore
    ) -> None:
        """The message is delivered again until the escalation is stored, and nobody is alerted twice."""
        with environ.context() as patch:
            patch.setattr(app, "EscalationStore", lambda _, client: EscalationStore("no-such-table", client))
            assert deliver(message(escalation().to_json())) == [0]
        assert deliver(message(escalation().to_json())) == []
        assert alerted(rest) == [ANNA, BORIS]
        assert kept.get(escalation().escalation_id) is not None


def test_wrong_settings(environ: pytest.MonkeyPatch) -> None:
    """The invocation fails with an error that says what is wrong; the batch is delivered again."""
    environ.setenv("ON_CALL_NUMBERS", "5551234")
    with pytest.raises(SettingsError, match="ON_CALL_NUMBERS"):
        handler({"Records": [message(escalation().to_json())]}, Context())
    environ.setenv("ON_CALL_NUMBERS", ANNA)
    assert deliver(message(escalation().to_json())) == []
    assert settings().on_call_numbers == (ANNA,)


def test_nothing_private_is_logged(rest: TwilioRest, caplog: pytest.LogCaptureFixture) -> None:
    """Neither phone numbers nor what the caller said, whatever goes wrong."""
    caplog.set_level("DEBUG")
    rest.refuse[ANNA] = 400
    deliver(message(escalation(summary="My secret is hunter2").to_json()), message('{"summary": "hunter2"}'))
    ours = [vars(record) for record in caplog.records if record.name == "alerts"]
    assert len(ours) >= 3
    for line in ours:
        assert "hunter2" not in str(line)
        assert "/desk/" not in str(line)  # the link alone identifies the person
        for number in (ANNA, BORIS, CALLER):
            assert number not in str(line)
