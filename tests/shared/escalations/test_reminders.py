"""The queue of reminders, against the emulator."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.escalations.record import EscalationRecord
from shared.escalations.reminders import InvalidReminder, Reminder, ReminderNotSent, ReminderQueue
from tests.escalations import escalation

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def sent(sqs: "SQSClient") -> Iterator[list[dict[str, Any]]]:
    """The parameters of each send to SQS, with the delay, which a received message does not have."""
    parameters: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        parameters.append(dict(params))

    sqs.meta.events.register("provide-client-params.sqs.SendMessage", note, unique_id="note")
    try:
        yield parameters
    finally:
        sqs.meta.events.unregister("provide-client-params.sqs.SendMessage", unique_id="note")


def record(due_in_s: float = 0) -> EscalationRecord:
    """A record that is due in so many seconds."""
    now = datetime.now(UTC)
    return EscalationRecord.queued(escalation(), now).alerted(1, now, now + timedelta(seconds=due_in_s))


def test_a_reminder(sqs: "SQSClient", queue: str) -> None:
    """A due reminder comes at once, with the escalation's id and the number of the check."""
    ReminderQueue(queue, sqs).remind(record())
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert Reminder.from_json(message["Body"]) == Reminder(escalation_id=escalation().escalation_id, check=0)


@pytest.mark.parametrize(
    ("due_in_s", "delays"), [(-60, {0}), (0, {0}), (59.5, {59, 60}), (899.5, {899, 900}), (5000, {900})]
)
def test_when(sqs: "SQSClient", queue: str, sent: list[dict[str, Any]], due_in_s: float, delays: set[int]) -> None:
    """At the due time, in whole seconds and not too early; at most after the longest delay that SQS allows."""
    ReminderQueue(queue, sqs).remind(record(due_in_s))
    assert sent[0]["DelaySeconds"] in delays


def test_the_callback_list(sqs: "SQSClient", queue: str, sent: list[dict[str, Any]]) -> None:
    """A record on the callback list is checked now and then; a resolved one is not."""
    now = datetime.now(UTC)
    ReminderQueue(queue, sqs).remind(record().check_begun(4).callback(now, "gone"))
    ReminderQueue(queue, sqs).remind(record().resolved("maria", now, ""))
    assert [message["DelaySeconds"] for message in sent] == [900]
    assert Reminder.from_json(sent[0]["MessageBody"]).check == 5


def test_a_caller_who_is_alone(sqs: "SQSClient", queue: str, sent: list[dict[str, Any]]) -> None:
    """The check is soon, also if the escalation is on the callback list or resolved."""
    now = datetime.now(UTC)
    later = now + timedelta(seconds=150)
    waits = record().accepted("maria", now, later).ready_on("CA9", "maria", now, later)
    for left in (waits.callback(now, "gone"), waits.resolved("maria", now, ""), waits.unassigned(now, "hung up")):
        ReminderQueue(queue, sqs).remind(left)
    # The unassigned one is due at once.
    assert [message["DelaySeconds"] in {9, 10} for message in sent] == [True, True, False]
    assert sent[2]["DelaySeconds"] == 0


def test_once_more(sqs: "SQSClient", queue: str, sent: list[dict[str, Any]]) -> None:
    """A repeated reminder has `again` set."""
    reminder = Reminder(escalation_id="CA1-1", check=3)
    ReminderQueue(queue, sqs).repeat(reminder, 10)
    [message] = sent
    assert message["DelaySeconds"] == 10
    assert Reminder.from_json(message["MessageBody"]) == Reminder(escalation_id="CA1-1", check=3, again=True)


def test_no_queue(sqs: "SQSClient", queue: str) -> None:
    """A queue that is not there is an error of ours."""
    with pytest.raises(ReminderNotSent, match="sending a reminder"):
        ReminderQueue(f"{queue}-not", sqs).remind(record())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "{}",
        '{"escalation_id": "", "check": 1}',
        '{"escalation_id": "x"}',
        '{"escalation_id": "x", "check": -1}',
    ],
)
def test_something_else(body: str) -> None:
    """The error names the field, and not its value."""
    with pytest.raises(InvalidReminder, match=r"body|escalation_id|check"):
        Reminder.from_json(body)
