"""The escalation policy: tier after tier, and then a callback."""

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from shared.escalations.record import Status
from shared.escalations.reminders import Reminder
from shared.escalations.store import EscalationStore
from shared.on_call import link
from shared.on_call.link import DeskLink
from shared.on_call.roster import Roster
from shared.on_call.store import RosterStore
from tests.escalations import CALLER, escalation
from tests.functions.alerts.lambda_events import ALERT_FROM, PUBLIC_URL, SIGNING_KEY, deliver, message
from tests.functions.alerts.policy_stage import BEN, CARLA, ID, MARIA, PolicyStage, counted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient


class TestTheFirstTier:
    """EscalationPolicy.begin"""

    def test_everybody_in_it(self, stage: PolicyStage) -> None:
        """On every channel that the roster has for them; the next check is due when their time is up."""
        assert stage.begin() == []
        assert (stage.texts, stage.rung) == ([MARIA], [MARIA])
        record = stage.record
        assert (record.status, record.tier, record.candidates) == (Status.ALERTED, 1, ("maria",))
        assert [(alert.person, alert.channel, alert.sid[:2]) for alert in record.alerts] == [
            ("maria", "sms", "SM"),
            ("maria", "phone", "CA"),
        ]
        assert stage.reminders == [(Reminder(escalation_id=ID, check=0), 60)]

    def test_the_links(self, stage: PolicyStage) -> None:
        """Each person has their own link, and Twilio requests the phone's TwiML under it."""
        stage.begin(language="es")
        opened = {
            sent["To"]: link.verify(SecretStr(SIGNING_KEY), sent["Body"].rpartition("/desk/")[2])
            for sent in stage.rest.messages
        }
        assert opened == {MARIA: DeskLink(ID, "maria"), BEN: DeskLink(ID, "ben")}
        assert all(f"\n{PUBLIC_URL}/desk/" in sent["Body"] for sent in stage.rest.messages)
        (call,) = stage.rest.calls
        token = call["Url"].removeprefix(f"{PUBLIC_URL}/desk/").removesuffix("/offer")
        assert link.verify(SecretStr(SIGNING_KEY), token) == DeskLink(ID, "maria")
        assert call["StatusCallback"] == f"{PUBLIC_URL}/desk/{token}/leg-ended"
        assert call["From"] == ALERT_FROM

    def test_a_revision(self, stage: PolicyStage) -> None:
        """It is stored, and nobody in the tier is alerted again."""
        stage.begin()
        assert stage.begin(revision=2, summary="It is order 13.") == []
        assert (stage.texts, stage.rung) == ([MARIA], [MARIA])
        assert stage.record.escalation.summary == "It is order 13."

    def test_a_new_request_under_an_old_id(self, stage: PolicyStage) -> None:
        """A call dropped while the table was away gets its next escalation; the handled one is not reopened."""
        stage.begin()
        stage.change(lambda record: record.resolved("maria", stage.now, "done"))
        for _ in range(2):
            assert stage.begin(reason="call_failed", created_at=stage.later(30)) == []
        assert stage.record.escalation.reason == "refund"
        first, second = stage.of_call()
        assert (first.status, second.status, second.escalation.reason) == (
            Status.RESOLVED,
            Status.ALERTED,
            "call_failed",
        )
        assert stage.texts == [MARIA, MARIA]

    def test_an_old_request_again(self, stage: PolicyStage) -> None:
        """Delivered after it was handled, it changes nothing; nor does one whose id has no number."""
        stage.begin()
        stage.change(lambda record: record.resolved("maria", stage.later(30), "done"))
        assert stage.begin(created_at=stage.now) == []
        assert len(stage.of_call()) == 1
        assert escalation(escalation_id="another").as_next() is None

    def test_two_deliveries_at_once(self, stage: PolicyStage) -> None:
        """One alerts the tier; the other only sends a reminder."""
        stage.at_once(lambda policy: policy.begin(escalation()))
        assert (stage.texts, stage.rung) == ([MARIA], [MARIA])
        assert stage.record.tier == 1

    def test_nobody_in_it_can_be_reached(self, stage: PolicyStage) -> None:
        """The next tier is alerted at once."""
        stage.rest.refuse[MARIA] = 400
        assert stage.begin() == []
        assert stage.rung == [MARIA, CARLA]
        assert (stage.record.tier, stage.record.candidates) == (2, ("carla",))

    def test_nobody_at_all_can_be_reached(self, stage: PolicyStage) -> None:
        """The message fails; delivered again, even at once, it continues where it was."""
        stage.rest.refuse = {MARIA: 503, CARLA: 503}
        assert stage.begin() == [0]
        assert (stage.record.status, stage.reminders) == (Status.QUEUED, [])
        stage.rest.refuse = {}
        assert stage.begin() == []
        assert stage.record.tier == 1

    def test_nobody_is_on_duty_in_it(self, stage: PolicyStage) -> None:
        """The tier is skipped."""
        stage.on_duty_at_night("maria", "ben")
        assert stage.begin() == []
        assert (stage.rung, stage.record.tier) == ([CARLA], 2)

    def test_nobody_is_on_duty(self, stage: PolicyStage) -> None:
        """A callback is promised at once; people who come on duty later are told once."""
        stage.on_duty_at_night("maria", "ben", "carla")
        assert stage.begin() == []
        assert (stage.texts, stage.rung) == ([], [])
        assert stage.record.status is Status.CALLBACK
        assert stage.record.history[-1].detail == "nobody is on duty"
        stage.forward(8.5 * 3600)
        for _ in range(2):
            assert stage.check() == []
        assert stage.texts == [MARIA, BEN, CARLA]
        assert all(sent["Body"].startswith(f"Callback promised: call {CALLER}") for sent in stage.rest.messages)


def test_no_roster_and_nobody_in_the_settings(
    environ: pytest.MonkeyPatch, table: str, dynamodb: "DynamoDBClient"
) -> None:
    """The message fails, so that an alarm is raised; the escalation is stored."""
    environ.setenv("ON_CALL_NUMBERS", "")
    assert deliver(message(escalation().to_json())) == [0]
    record = EscalationStore(table, dynamodb).get(ID)
    assert record is not None
    assert record.status is Status.QUEUED


class TestTheNextTier:
    """EscalationPolicy.check"""

    def test_nobody_accepted_in_time(self, stage: PolicyStage) -> None:
        """The next tier has its own time. A reminder that comes a second time does nothing."""
        stage.begin()
        stage.forward(60)
        assert stage.check() == []
        assert stage.rung == [MARIA, CARLA]
        assert (stage.record.tier, stage.record.due_at) == (2, stage.later(120))
        assert stage.reminders[-1][1] == 120
        assert stage.check() == []
        assert stage.rung == [MARIA, CARLA]

    def test_too_early(self, stage: PolicyStage) -> None:
        """A reminder that comes too early sends another one, so that one is left."""
        stage.begin()
        stage.forward(59.5)
        assert stage.check() == []
        assert stage.check() == []
        assert [delay for _, delay in stage.reminders[1:]] == [1, 1]
        assert stage.rung == [MARIA]

    def test_all_have_declined(self, stage: PolicyStage) -> None:
        """The next tier is alerted at once."""
        stage.begin()
        stage.change(lambda record: record.declined("maria", stage.now))
        assert stage.check() == []
        assert stage.rung == [MARIA, CARLA]

    def test_who_cannot_be_reached_does_not_end_the_tier(self, stage: PolicyStage) -> None:
        """Ben accepts and his phone fails; Maria's phone is busy, but she has an SMS: the tier keeps its time."""
        stage.begin(language="es")
        due = stage.record.due_at
        stage.change(lambda record: record.accepted("ben", stage.now, stage.later(150), name="Ben"))
        stage.change(lambda record: record.unassigned(stage.later(2), "the phone could not be made to ring"))
        stage.change(lambda record: record.alert_failed(record.alerts[1], stage.later(3), "the line was busy"))
        stage.forward(30)
        assert stage.check() == []
        assert (stage.record.tier, stage.record.due_at, stage.rung) == (1, due, [MARIA])
        stage.forward(30)
        assert stage.check() == []
        assert (stage.record.tier, stage.rung) == (2, [MARIA, CARLA])

    def test_nobody_of_it_is_left(self, stage: PolicyStage) -> None:
        """Both of Maria's channels have failed, so the next tier is alerted at once."""
        stage.begin()
        text, ring = stage.record.alerts
        stage.change(lambda record: record.alert_failed(ring, stage.now, "nobody picked up"))
        assert stage.record.due_at == stage.later(60)
        stage.change(lambda record: record.alert_failed(text, stage.now, "the carrier dropped it"))
        assert stage.check() == []
        assert stage.rung == [MARIA, CARLA]

    def test_a_topic_is_not_waited_for(self, stage: PolicyStage, environ: pytest.MonkeyPatch, sns: "SNSClient") -> None:
        """A topic's subscribers cannot accept, so the tier does not wait for them to decline."""
        environ.setenv("ALERT_TOPIC_ARN", sns.create_topic(Name="policy")["TopicArn"])
        stage.begin()
        stage.change(lambda record: record.declined("maria", stage.now))
        assert stage.check() == []
        assert stage.rung == [MARIA, CARLA]

    def test_two_reminders_at_once(self, stage: PolicyStage) -> None:
        """One of them alerts the tier."""
        stage.begin()
        stage.forward(60)
        stage.at_once(lambda policy: policy.check(Reminder(escalation_id=ID, check=0)))
        assert stage.rung == [MARIA, CARLA]
        assert stage.record.tier == 2

    def test_another_process_claims_it(self, stage: PolicyStage) -> None:
        """Between reading and claiming: then this one alerts nobody and checks again when that claim expires."""
        stage.begin()
        stage.forward(60)
        read = RosterStore.roster

        def meanwhile(*arguments: Any) -> Roster:
            stage.change(lambda record: record.rescheduled(stage.later(30)))
            return read(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RosterStore, "roster", meanwhile)
            assert stage.check() == []
        assert stage.rung == [MARIA]
        assert stage.reminders[-1][1] == 30

    def test_the_last_tier_cannot_be_reached(self, stage: PolicyStage) -> None:
        """Somebody was alerted before, so the message does not fail, and a callback is promised."""
        stage.begin()
        stage.rest.refuse[CARLA] = 503
        stage.forward(60)
        assert stage.check() == []
        assert stage.record.status is Status.CALLBACK
        assert stage.record.history[-1].detail == "nobody accepted it"

    def test_a_crash_half_way(self, stage: PolicyStage) -> None:
        """A process dies after its claim: once the claim expires, another one claims it; nobody is alerted twice."""
        stage.begin()
        stage.forward(60)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("functions.alerts.escalation_policy._alerted", lambda *_: 1 / 0)
            assert stage.check(0) == [0]
        assert stage.rung == [MARIA, CARLA]
        assert stage.check(0, received=2) == []
        assert (stage.record.tier, stage.reminders[-1]) == (1, (Reminder(escalation_id=ID, check=1), 30))
        stage.forward(31)
        assert stage.check(1) == []
        assert (stage.rung, stage.record.tier) == ([MARIA, CARLA], 2)

    def test_nobody_is_left(self, stage: PolicyStage, capsys: pytest.CaptureFixture[str]) -> None:
        """A callback is promised: everybody on duty is told once, in writing."""
        stage.begin()
        for seconds in (60, 120):
            stage.forward(seconds)
            assert stage.check() == []
        record = stage.record
        assert [entry.status for entry in record.history[-2:]] == [Status.EXPIRED, Status.CALLBACK]
        promises = [sent for sent in stage.rest.messages if sent["Body"].startswith("Callback promised")]
        assert sorted(sent["To"] for sent in promises) == [MARIA, BEN, CARLA]
        assert stage.reminders[-1] == (Reminder(escalation_id=ID, check=record.checks), 900)
        metrics = counted(capsys)
        assert (metrics["EscalationsExpired"], metrics["CallbacksPromised"]) == (1, 1)

    def test_a_crash_before_the_promise(self, stage: PolicyStage) -> None:
        """It is on the callback list, and nobody was told: the redelivered reminder tells them and sends the next."""
        stage.begin()
        stage.change(lambda record: record.alerted(2, stage.now, stage.later(120)))
        stage.forward(120)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("functions.alerts.escalation_policy.Alert.of_promise", lambda *_: 1 / 0)
            assert stage.check(0) == [0]
        stage.reminders.clear()
        assert stage.check(0, received=2) == []
        assert sum(sent["Body"].startswith("Callback promised") for sent in stage.rest.messages) == 3
        assert [delay for _, delay in stage.reminders] == [900]

    def test_somebody_is_faster(self, stage: PolicyStage) -> None:
        """A person who accepts while the next tier is being called is the assignee; nothing is undone."""
        stage.begin()
        stage.forward(60)
        due = stage.later(90)

        def take_it(*_: object) -> str:
            stage.change(lambda record: record.accepted("maria", stage.now, due))
            return "CA1"

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("functions.alerts.channels.Phone.send", take_it)
            assert stage.check() == []
        record = stage.record
        assert (record.assignee, record.tier, record.due_at) == ("maria", 2, due)

    def test_it_is_resolved_or_gone(self, stage: PolicyStage) -> None:
        """A reminder of it does nothing and sends no other."""
        assert stage.check() == []
        stage.begin()
        stage.change(lambda record: record.resolved("maria", stage.now, "done"))
        stage.forward(60)
        assert stage.check() == []
        assert (stage.rung, len(stage.reminders)) == ([MARIA], 1)

    def test_something_else(self, stage: PolicyStage, capsys: pytest.CaptureFixture[str]) -> None:
        """A message that is not a reminder fails by itself."""
        assert stage.remind("hello", "{}") == [0, 1]
        assert counted(capsys) == {"InvalidMessages": 2}
