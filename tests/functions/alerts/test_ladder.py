"""The ladder, with a clock that can be put forward: the emulator as its AWS and a small server as its Twilio."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from functions.alerts import app
from functions.alerts.ladder import Ladder
from shared import desk_link
from shared.desk_link import DeskLink
from shared.escalation_life import Life, Status
from shared.escalation_store import EscalationStore
from shared.ladder_queue import LadderQueue, Look
from shared.roster_store import RosterStore
from tests.escalations import CALLER, escalation
from tests.functions.alerts.lambda_events import ALERT_FROM, PUBLIC_URL, SIGNING_KEY, Context, deliver, message
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

pytestmark = pytest.mark.usefixtures("environ", "sent")

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

Deliver = Callable[..., list[int]]  # the places of the messages that failed
Reminders = list[tuple[Look, float]]


def at_night(*people: str) -> str:
    """The roster with these people on duty at night only."""
    text = ROSTER
    for one in people:
        text = text.replace(f"[people.{one}]\n", f"[people.{one}]\n{NIGHT}")
    return text


class Clock:
    """What time it is for the ladder and its queue."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def forward(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A Monday noon in UTC."""
    clock = Clock()

    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            assert tz is UTC
            return clock.now

    for module in ("functions.alerts.ladder", "shared.ladder_queue"):
        monkeypatch.setattr(f"{module}.datetime", Now)
    return clock


@pytest.fixture
def escalations(table: str, dynamodb: "DynamoDBClient") -> EscalationStore:
    """The escalations of the function's table."""
    return EscalationStore(table, dynamodb)


@pytest.fixture
def roster(table: str, dynamodb: "DynamoDBClient") -> Callable[[str], None]:
    """Writes a roster; the one above to begin with."""
    store = RosterStore(table, dynamodb, "alerts")

    def write(text: str) -> None:
        store.write(text)
        app._ladder.cache_clear()

    write(ROSTER)
    return write


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Reminders:
    """Every reminder that was put into the queue, and when it is to come, in seconds from then."""
    reminders: Reminders = []

    class Queue(LadderQueue):
        def __init__(self, url: str, client: "SQSClient") -> None:
            super().__init__(url, client)
            client.meta.events.register("provide-client-params.sqs.SendMessage", self._note, unique_id="ladder")

        @staticmethod
        def _note(params: dict[str, Any], **_: object) -> None:
            reminders.append((Look.from_json(params["MessageBody"]), params["DelaySeconds"]))

    monkeypatch.setattr(app, "LadderQueue", Queue)
    return reminders


@pytest.fixture
def look(ladder_queue: str, escalations: EscalationStore) -> Deliver:
    """Delivers a reminder of the life as it is, or of an earlier version of it; returns what failed."""

    def deliver_it(version: int | None = None) -> list[int]:
        life = escalations.get(ID)
        there = Look(escalation_id=ID, version=version or (life.version if life else 1))
        arn = f"arn:aws:sqs:us-east-1:000000000000:{ladder_queue.rpartition('/')[2]}"
        return deliver(message(there.model_dump_json(), arn))

    return deliver_it


@pytest.fixture
def begin(roster: Callable[[str], None]) -> Deliver:
    """Delivers the escalation; returns what failed."""
    return lambda **fields: deliver(message(escalation(**fields).to_json()))


def at_once(work: Callable[[Ladder], None]) -> None:
    """Two invocations do the same at the same time."""
    ladder = app._ladder()
    app._once().begin(Context())
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, [ladder] * 2))


def now(escalations: EscalationStore) -> Life:
    """The life as it is."""
    life = escalations.get(ID)
    assert life is not None
    return life


def texts(rest: TwilioRest) -> list[str]:
    """Who got an SMS."""
    return sorted(sent["To"] for sent in rest.messages)


def rung(rest: TwilioRest) -> list[str]:
    """Whose phone rang."""
    return sorted(call["To"] for call in rest.calls)


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """How often each metric was written since this was last asked."""
    names = [
        metric["Name"]
        for line in capsys.readouterr().out.splitlines()
        for directive in json.loads(line).get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in directive["Metrics"]
    ]
    return {name: names.count(name) for name in names}


class TestTheFirstTier:
    """Ladder.begin"""

    def test_everybody_in_it(
        self, begin: Deliver, rest: TwilioRest, escalations: EscalationStore, sent: Reminders
    ) -> None:
        """By every way that each of them wants; the ladder looks again when their time is up."""
        assert begin() == []
        assert (texts(rest), rung(rest)) == ([MARIA], [MARIA])
        life = now(escalations)
        assert (life.status, life.tier, life.asked) == (Status.ALERTED, 1, ("maria",))
        assert sent == [(Look(escalation_id=ID, version=life.version), 60)]

    def test_the_links(self, begin: Deliver, rest: TwilioRest) -> None:
        """Each is one person's own, and the phone asks under it what to say."""
        begin(language="es")
        opened = {
            sent["To"]: desk_link.read(SecretStr(SIGNING_KEY), sent["Body"].rpartition("/desk/")[2])
            for sent in rest.messages
        }
        assert opened == {MARIA: DeskLink(ID, "maria"), BEN: DeskLink(ID, "ben")}
        assert all(f"\n{PUBLIC_URL}/desk/" in sent["Body"] for sent in rest.messages)
        (call,) = rest.calls
        token = call["Url"].removeprefix(f"{PUBLIC_URL}/desk/").removesuffix("/offer")
        assert desk_link.read(SecretStr(SIGNING_KEY), token) == DeskLink(ID, "maria")
        assert call["StatusCallback"] == f"{PUBLIC_URL}/desk/{token}/leg-ended"
        assert call["From"] == ALERT_FROM

    def test_a_revision(self, begin: Deliver, rest: TwilioRest, escalations: EscalationStore) -> None:
        """Nobody in the tier is alerted again; what is new is kept."""
        begin()
        assert begin(revision=2, summary="It is order 13.") == []
        assert (texts(rest), rung(rest)) == ([MARIA], [MARIA])
        assert now(escalations).escalation.summary == "It is order 13."

    @pytest.mark.usefixtures("roster")
    def test_two_deliveries_at_once(self, rest: TwilioRest, escalations: EscalationStore) -> None:
        """One of them does it; the other leaves a reminder and is done."""
        at_once(lambda ladder: ladder.begin(escalation()))
        assert (texts(rest), rung(rest)) == ([MARIA], [MARIA])
        assert now(escalations).tier == 1

    def test_nobody_in_it_can_be_reached(self, begin: Deliver, rest: TwilioRest, escalations: EscalationStore) -> None:
        """The next tier is alerted at once."""
        rest.refuse[MARIA] = 400
        assert begin() == []
        assert rung(rest) == [MARIA, CARLA]
        assert (now(escalations).tier, now(escalations).asked) == (2, ("carla",))

    def test_nobody_at_all_can_be_reached(
        self, begin: Deliver, rest: TwilioRest, escalations: EscalationStore, sent: Reminders
    ) -> None:
        """The message fails, is delivered again at once if need be, and goes on where it was."""
        rest.refuse = {MARIA: 503, CARLA: 503}
        assert begin() == [0]
        assert (now(escalations).status, sent) == (Status.QUEUED, [])
        rest.refuse = {}
        assert begin() == []
        assert now(escalations).tier == 1

    def test_nobody_is_on_duty_in_it(
        self, begin: Deliver, roster: Any, rest: TwilioRest, escalations: EscalationStore
    ) -> None:
        """It is passed over."""
        roster(at_night("maria", "ben"))
        assert begin() == []
        assert (rung(rest), now(escalations).tier) == ([CARLA], 2)

    def test_nobody_is_on_duty(
        self, begin: Deliver, roster: Any, rest: TwilioRest, escalations: EscalationStore, clock: Clock, look: Deliver
    ) -> None:
        """A call back is promised at once; whoever comes on duty next is told of it, once."""
        roster(at_night("maria", "ben", "carla"))
        assert begin() == []
        assert (texts(rest), rung(rest)) == ([], [])
        assert now(escalations).status is Status.CALLBACK
        assert now(escalations).steps[-1].detail == "nobody is on duty"
        clock.forward(8.5 * 3600)
        for _ in range(2):
            assert look() == []
        assert texts(rest) == [MARIA, BEN, CARLA]
        assert all(sent["Body"].startswith(f"Call back promised: call {CALLER}") for sent in rest.messages)

    def test_no_roster_and_nobody_in_the_settings(
        self, environ: pytest.MonkeyPatch, dynamodb: "DynamoDBClient", table: str, escalations: EscalationStore
    ) -> None:
        """The message fails, so that an alarm tells of it; the escalation is kept."""
        environ.setenv("ON_CALL_NUMBERS", "")
        assert deliver(message(escalation().to_json())) == [0]
        assert now(escalations).status is Status.QUEUED


class TestTheNextTier:
    """Ladder.look"""

    def test_nobody_accepted_in_time(
        self,
        begin: Deliver,
        look: Deliver,
        clock: Clock,
        rest: TwilioRest,
        escalations: EscalationStore,
        sent: Reminders,
    ) -> None:
        """The next tier has its own time. A reminder that comes a second time does nothing."""
        begin()
        clock.forward(60)
        assert look() == []
        assert rung(rest) == [MARIA, CARLA]
        assert (now(escalations).tier, now(escalations).due) == (2, clock.now + timedelta(seconds=120))
        assert sent[-1][1] == 120
        assert look() == []
        assert rung(rest) == [MARIA, CARLA]

    def test_too_early(self, begin: Deliver, look: Deliver, clock: Clock, rest: TwilioRest, sent: Reminders) -> None:
        """It puts itself into the queue again; so does one of an earlier version, lest none be left."""
        begin()
        clock.forward(59.5)
        assert look() == []
        assert look(1) == []
        assert [delay for _, delay in sent[1:]] == [1, 1]
        assert rung(rest) == [MARIA]

    def test_all_have_passed_it_on(
        self, begin: Deliver, look: Deliver, clock: Clock, rest: TwilioRest, escalations: EscalationStore
    ) -> None:
        """Nobody waits for a time that nobody needs."""
        begin()
        escalations.change(ID, lambda life: life.passed_on("maria", clock.now))
        assert look() == []
        assert rung(rest) == [MARIA, CARLA]

    def test_two_reminders_at_once(
        self, begin: Deliver, clock: Clock, rest: TwilioRest, escalations: EscalationStore
    ) -> None:
        """One of them does it."""
        begin()
        clock.forward(60)
        at_once(lambda ladder: ladder.look(Look(escalation_id=ID, version=1)))
        assert rung(rest) == [MARIA, CARLA]
        assert now(escalations).tier == 2

    def test_a_crash_half_way(
        self, begin: Deliver, look: Deliver, clock: Clock, rest: TwilioRest, escalations: EscalationStore
    ) -> None:
        """Whoever had claimed it died: it is claimed again when that one's time is up, and nobody is alerted twice."""
        begin()
        clock.forward(60)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("functions.alerts.ladder._alerted", lambda *_: 1 / 0)
            assert look() == [0]
        assert rung(rest) == [MARIA, CARLA]
        assert look() == []
        assert now(escalations).tier == 1
        clock.forward(31)
        assert look() == []
        assert (rung(rest), now(escalations).tier) == ([MARIA, CARLA], 2)

    def test_nobody_is_left(
        self,
        begin: Deliver,
        look: Deliver,
        clock: Clock,
        rest: TwilioRest,
        escalations: EscalationStore,
        sent: Reminders,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A call back is promised: to everybody on duty, each once and in writing."""
        begin()
        for seconds in (60, 120):
            clock.forward(seconds)
            assert look() == []
        life = now(escalations)
        assert [step.status for step in life.steps[-2:]] == [Status.EXPIRED, Status.CALLBACK]
        promises = [sent for sent in rest.messages if sent["Body"].startswith("Call back promised")]
        assert sorted(sent["To"] for sent in promises) == [MARIA, BEN, CARLA]
        assert sent[-1] == (Look(escalation_id=ID, version=life.version), 900)
        metrics = counted(capsys)
        assert (metrics["EscalationsExpired"], metrics["CallbacksPromised"]) == (1, 1)

    def test_somebody_is_faster(
        self, begin: Deliver, look: Deliver, clock: Clock, rest: TwilioRest, escalations: EscalationStore
    ) -> None:
        """Who takes it while the next tier's phones are being rung has it; nothing is undone."""
        begin()
        clock.forward(60)
        due = clock.now + timedelta(seconds=90)

        def take_it(*_: object) -> str:
            escalations.change(ID, lambda life: life.accepted("maria", clock.now, due))
            return "CA1"

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("functions.alerts.channels.Phone.send", take_it)
            assert look() == []
        life = now(escalations)
        assert (life.holder, life.tier, life.due) == ("maria", 2, due)

    def test_it_is_resolved_or_gone(
        self,
        begin: Deliver,
        look: Deliver,
        clock: Clock,
        rest: TwilioRest,
        escalations: EscalationStore,
        sent: Reminders,
    ) -> None:
        """A reminder of it is done, and is the last."""
        assert look() == []
        begin()
        escalations.change(ID, lambda life: life.resolved("maria", clock.now, "done"))
        clock.forward(60)
        assert look() == []
        assert (rung(rest), len(sent)) == ([MARIA], 1)

    def test_something_else(self, ladder_queue: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A message that is no reminder fails alone."""
        arn = f"arn:aws:sqs:us-east-1:000000000000:{ladder_queue.rpartition('/')[2]}"
        assert deliver(message("hello", arn), message("{}", arn)) == [0, 1]
        assert counted(capsys) == {"NotEscalations": 2}


class TestTaken:
    """Ladder.look at what somebody has taken"""

    @pytest.fixture
    def accepted(self, begin: Deliver, clock: Clock, escalations: EscalationStore) -> Life:
        """Maria has taken it, and has a minute and a half."""
        begin()
        due = clock.now + timedelta(seconds=90)
        return escalations.change(ID, lambda life: life.accepted("maria", clock.now, due, name="Maria Lopez"))

    @pytest.fixture
    def connected(self, accepted: Life, clock: Clock, escalations: EscalationStore) -> Life:
        """Maria and the caller talk."""
        due = clock.now + timedelta(seconds=900)
        return escalations.change(
            ID, lambda life: life.ready_on("CA9", "maria", clock.now, due).connected(clock.now, due)
        )

    def test_the_person_does_not_come(
        self, accepted: Life, look: Deliver, clock: Clock, rest: TwilioRest, escalations: EscalationStore
    ) -> None:
        """It is taken from them, and the next tier is alerted."""
        clock.forward(60)
        assert look() == []
        assert now(escalations).holder == "maria"
        clock.forward(30)
        assert look() == []
        life = now(escalations)
        assert (life.status, life.tier, life.holder) == (Status.ALERTED, 2, None)
        assert rung(rest) == [MARIA, CARLA]

    def test_a_call_back_that_does_not_come(
        self, begin: Deliver, look: Deliver, clock: Clock, escalations: EscalationStore
    ) -> None:
        """It is on the list again."""
        begin()
        escalations.change(ID, lambda life: life.expired(clock.now, "nobody accepted it"))
        due = clock.now + timedelta(seconds=90)
        escalations.change(ID, lambda life: life.accepted("maria", clock.now, due, callback=True))
        clock.forward(90)
        assert look() == []
        assert now(escalations).status is Status.CALLBACK

    def test_they_still_talk(
        self,
        connected: Life,
        look: Deliver,
        clock: Clock,
        rest: TwilioRest,
        escalations: EscalationStore,
        sent: Reminders,
    ) -> None:
        """It is looked at again in a quarter of an hour."""
        rest.call_statuses["CA9"] = "in-progress"
        clock.forward(900)
        assert look() == []
        assert (now(escalations).status, sent[-1][1]) == (Status.CONNECTED, 900)

    @pytest.mark.parametrize("status", ["completed", None])
    def test_nobody_said_that_it_was_over(
        self,
        connected: Life,
        look: Deliver,
        clock: Clock,
        rest: TwilioRest,
        escalations: EscalationStore,
        status: str | None,
    ) -> None:
        """The person's leg has ended, or Twilio knows it no more: then they have talked."""
        if status:
            rest.call_statuses["CA9"] = status
        clock.forward(900)
        assert look() == []
        assert now(escalations).status is Status.RESOLVED
        assert now(escalations).steps[-1].detail == "talked 900 s"

    def test_twilio_is_away(
        self,
        connected: Life,
        look: Deliver,
        clock: Clock,
        rest: TwilioRest,
        escalations: EscalationStore,
        sent: Reminders,
    ) -> None:
        """Nothing is known, and it is asked again soon."""
        rest.refuse["CA9"] = 503
        clock.forward(900)
        assert look() == []
        assert (now(escalations).status, sent[-1][1]) == (Status.CONNECTED, 60)


class TestTheCallBackList:
    """Ladder.look at what is on the list"""

    @pytest.fixture
    def listed(
        self, begin: Deliver, clock: Clock, escalations: EscalationStore, capsys: pytest.CaptureFixture[str]
    ) -> Life:
        """The caller hung up."""
        begin()
        life = escalations.change(ID, lambda there: there.callback(clock.now, "the caller hung up"))
        capsys.readouterr()
        return life

    def test_a_caller_who_waits_for_too_long(
        self, listed: Life, look: Deliver, clock: Clock, sent: Reminders, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """After half an hour an alarm hears of it, every quarter of an hour."""
        clock.forward(1799)
        look()
        assert "CallbacksOverdue" not in counted(capsys)
        for _ in range(2):
            clock.forward(900)
            look()
            assert counted(capsys)["CallbacksOverdue"] == 1
        assert {delay for _, delay in sent[1:]} == {900}

    def test_an_earlier_reminder(self, listed: Life, look: Deliver, sent: Reminders) -> None:
        """It ends, since there is a later one; otherwise each call back in vain would add one for ever."""
        look(listed.version - 1)
        assert len(sent) == 1
