"""The escalation policy with a clock that can be put forward. The emulator is its AWS, a small server its Twilio."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.alerts import app
from functions.alerts.escalation_policy import EscalationPolicy
from shared.calls.store import CallStore
from shared.escalations.record import EscalationRecord, Event
from shared.escalations.reminders import Reminder, ReminderQueue
from shared.escalations.store import EscalationStore
from shared.on_call.store import RosterStore
from tests.escalations import escalation
from tests.functions.alerts.lambda_events import Context, deliver, message
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

MARIA, BEN, CARLA = "+15550100301", "+15550100302", "+15550100303"
ID = escalation().escalation_id
ROSTER = f"""
[[tiers]]
accept_within_s = 60
people = ["maria", "ben"]
[[tiers]]
accept_within_s = 120
people = ["carla"]
[people.maria]
name = "Maria Lopez"
phone = "{MARIA}"
channels = ["sms", "phone"]
[people.ben]
name = "Ben"
phone = "{BEN}"
languages = ["es"]
[people.carla]
name = "Carla"
phone = "{CARLA}"
channels = ["phone"]
"""
NIGHT = 'hours = ["Mon-Sun 20:00-06:00"]\ntime_zone = "UTC"\n'


class PolicyStage:
    """One escalation and the people of `ROSTER`, on a Monday noon in UTC."""

    def __init__(self, rest: TwilioRest, table: str, dynamodb: "DynamoDBClient", reminder_queue: str) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.rest = rest
        self.reminders: list[tuple[Reminder, float]] = []  # each that was sent, with its delay in seconds
        self._escalations = EscalationStore(table, dynamodb)
        self._rosters = RosterStore(table, dynamodb, "alerts")
        self.calls = CallStore(table, dynamodb)
        self._queue_arn = f"arn:aws:sqs:us-east-1:000000000000:{reminder_queue.rpartition('/')[2]}"
        self.keep(ROSTER)

    def keep(self, roster: str) -> None:
        """Replaces the roster."""
        self._rosters.write(roster)
        app._policy.cache_clear()

    def on_duty_at_night(self, *people: str) -> None:
        """Keeps the roster with these people on duty at night only."""
        text = ROSTER
        for one in people:
            text = text.replace(f"[people.{one}]\n", f"[people.{one}]\n{NIGHT}")
        self.keep(text)

    def begin(self, **fields: Any) -> list[int]:
        """Delivers the escalation; returns the indexes of the messages that failed."""
        return deliver(message(escalation(**fields).to_json()))

    def check(self, number: int | None = None, *, received: int = 1) -> list[int]:
        """Delivers the reminder of the next check, or of the given one, for the n-th time; returns what failed."""
        there = self._escalations.get(ID)
        reminder = Reminder(escalation_id=ID, check=number if number is not None else (there.checks if there else 0))
        return self.remind(reminder.model_dump_json(), received=received)

    def remind(self, *bodies: str, received: int = 1) -> list[int]:
        """Delivers messages from the reminder queue; returns what failed."""
        return deliver(*(message(body, self._queue_arn, received=received) for body in bodies))

    def run_queue(self, seconds: float, *, copies: int = 1) -> list[float]:
        """Delivers each reminder in the queue when it is due, `copies` times; returns when, in seconds from now."""
        waiting = [(self.now + timedelta(seconds=delay), reminder) for reminder, delay in self.reminders]
        began, delivered = self.now, list[float]()
        while waiting and min(due for due, _ in waiting) <= began + timedelta(seconds=seconds):
            waiting.sort(key=lambda one: one[0])
            due, reminder = waiting.pop(0)
            self.now = max(self.now, due)
            self.reminders.clear()
            for _ in range(copies):
                assert self.remind(reminder.model_dump_json()) == []
                delivered.append((self.now - began).total_seconds())
            waiting += [(self.now + timedelta(seconds=delay), sent) for sent, delay in self.reminders]
        self.now = began + timedelta(seconds=seconds)
        self.reminders[:] = [(reminder, (due - self.now).total_seconds()) for due, reminder in waiting]
        return delivered

    def send_reminder(self) -> None:
        """Sends one more reminder of the record as it is."""
        app._policy().reminders.remind(self.record)

    def without_table(self, work: Callable[[], Any]) -> Any:
        """Returns what `work` returns while DynamoDB refuses everything."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app._policy().escalations, "_table_name", "no-table")
            return work()

    @contextmanager
    def another_check_comes_first(self) -> Iterator[None]:
        """Another check of the same number overtakes the first one in here after that has read the record."""
        store = app._policy().escalations
        read, checked = store.get, list[int]()

        def overtaken(escalation_id: str) -> EscalationRecord | None:
            record = read(escalation_id)
            if record and not checked:
                checked.append(record.checks)
                assert self.check(record.checks) == []
            return record

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "get", overtaken)
            yield

    def at_once(self, work: Callable[[EscalationPolicy], None]) -> None:
        """Two invocations run `work` at the same time."""
        policy = app._policy()
        app._send_once().begin(Context())
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(work, [policy] * 2))

    def forward(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += timedelta(seconds=seconds)

    def later(self, seconds: float) -> datetime:
        """So many seconds from now."""
        return self.now + timedelta(seconds=seconds)

    def change(self, event: Event) -> EscalationRecord:
        """Another process changes the record."""
        return self._escalations.change(ID, event)

    def of_call(self) -> tuple[EscalationRecord, ...]:
        """All escalations of the call, this one included."""
        return self._escalations.of_call(escalation().call_sid)

    @property
    def record(self) -> EscalationRecord:
        """The record as it is."""
        record = self._escalations.get(ID)
        assert record is not None
        return record

    @property
    def texts(self) -> list[str]:
        """The numbers that got an SMS."""
        return sorted(sent["To"] for sent in self.rest.messages)

    @property
    def rung(self) -> list[str]:
        """The numbers that were called."""
        return sorted(call["To"] for call in self.rest.calls)

    def arrange(self, patch: pytest.MonkeyPatch) -> None:
        """Gives the function this clock, and records the reminders that it sends."""
        stage = self

        class Now(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                assert tz is UTC
                return stage.now

        class Queue(ReminderQueue):
            def __init__(self, url: str, client: "SQSClient") -> None:
                super().__init__(url, client)
                client.meta.events.register("provide-client-params.sqs.SendMessage", note, unique_id="policy")

        def note(params: dict[str, Any], **_: object) -> None:
            stage.reminders.append((Reminder.from_json(params["MessageBody"]), params["DelaySeconds"]))

        for module in ("functions.alerts.escalation_policy", "shared.escalations.reminders"):
            patch.setattr(f"{module}.datetime", Now)
        patch.setattr(app, "ReminderQueue", Queue)


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """How often each metric was written since this was last asked."""
    names = [
        metric["Name"]
        for line in capsys.readouterr().out.splitlines()
        for directive in json.loads(line).get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in directive["Metrics"]
    ]
    return {name: names.count(name) for name in names}
