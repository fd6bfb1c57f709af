"""The escalation policy and escalations that have an assignee or are on the callback list."""

import pytest

from shared.escalations.record import EscalationRecord, Status
from tests.escalations import CALL_SID
from tests.functions.alerts.policy_stage import CARLA, MARIA, PolicyStage, counted


class TestTaken:
    """EscalationPolicy.check, when there is an assignee"""

    @pytest.fixture
    def accepted(self, stage: PolicyStage) -> EscalationRecord:
        """Maria has accepted, and has a minute and a half to come."""
        stage.begin()
        due = stage.later(90)
        return stage.change(lambda record: record.accepted("maria", stage.now, due, name="Maria Lopez"))

    @pytest.fixture
    def connected(self, stage: PolicyStage, accepted: EscalationRecord) -> EscalationRecord:
        """Maria and the caller talk."""
        due = stage.later(900)
        return stage.change(lambda record: record.ready_on("CA9", "maria", stage.now, due).connected(stage.now, due))

    def test_the_person_does_not_come(self, stage: PolicyStage, accepted: EscalationRecord) -> None:
        """It becomes unassigned, and the next tier is alerted."""
        stage.forward(60)
        assert stage.check() == []
        assert stage.record.assignee == "maria"
        stage.forward(30)
        assert stage.check() == []
        record = stage.record
        assert (record.status, record.tier, record.assignee) == (Status.ALERTED, 2, None)
        assert stage.rung == [MARIA, CARLA]

    @pytest.mark.parametrize(
        ("person", "caller", "status"),
        [
            ("in-progress", "in-progress", Status.CONNECTED),
            ("in-progress", "completed", Status.ALERTED),
            ("completed", "in-progress", Status.ALERTED),
        ],
    )
    def test_they_came_and_the_status_callback_got_lost(
        self, stage: PolicyStage, accepted: EscalationRecord, person: str, caller: str, status: Status
    ) -> None:
        """Twilio is asked; if both are in the conference, nobody else is alerted."""
        due = stage.later(150)
        stage.change(lambda record: record.ready_on("CA9", "maria", stage.now, due).caller_joined_conference(stage.now))
        stage.rest.call_statuses |= {"CA9": person, CALL_SID: caller}
        stage.forward(150)
        assert stage.check() == []
        assert stage.record.status is status
        assert (CARLA in stage.rung) is (status is Status.ALERTED)

    def test_twilio_does_not_say_that_they_came(self, stage: PolicyStage, accepted: EscalationRecord) -> None:
        """Others are alerted, so that the caller does not wait without limit."""
        due = stage.later(150)
        stage.change(lambda record: record.ready_on("CA9", "maria", stage.now, due).caller_joined_conference(stage.now))
        stage.rest.refuse["CA9"] = 503
        stage.forward(150)
        assert stage.check() == []
        assert stage.record.status is Status.ALERTED

    def test_a_callback_that_is_not_made(self, stage: PolicyStage) -> None:
        """It is on the callback list again."""
        stage.begin()
        stage.change(lambda record: record.expired(stage.now, "nobody accepted it"))
        due = stage.later(90)
        stage.change(lambda record: record.accepted("maria", stage.now, due, callback=True))
        stage.forward(90)
        assert stage.check() == []
        assert stage.record.status is Status.CALLBACK

    def test_they_still_talk(self, stage: PolicyStage, connected: EscalationRecord) -> None:
        """The next check is due in a quarter of an hour."""
        stage.rest.call_statuses["CA9"] = "in-progress"
        stage.forward(900)
        assert stage.check() == []
        assert (stage.record.status, stage.reminders[-1][1]) == (Status.CONNECTED, 900)

    @pytest.mark.parametrize("status", ["completed", None])
    def test_it_is_over_and_the_status_callback_got_lost(
        self, stage: PolicyStage, connected: EscalationRecord, status: str | None
    ) -> None:
        """If the person's leg has ended, or Twilio does not know it any more, they have talked."""
        if status:
            stage.rest.call_statuses["CA9"] = status
        stage.forward(900)
        assert stage.check() == []
        assert stage.record.status is Status.RESOLVED
        assert stage.record.history[-1].detail == "talked 900 s"

    def test_twilio_is_away(self, stage: PolicyStage, connected: EscalationRecord) -> None:
        """Twilio is asked again soon."""
        stage.rest.refuse["CA9"] = 503
        stage.forward(900)
        assert stage.check() == []
        assert (stage.record.status, stage.reminders[-1][1]) == (Status.CONNECTED, 60)


class TestTheCallbackList:
    """EscalationPolicy.check, when it is on the callback list"""

    @pytest.fixture
    def listed(self, stage: PolicyStage, capsys: pytest.CaptureFixture[str]) -> EscalationRecord:
        """The caller hung up."""
        stage.begin()
        record = stage.change(lambda there: there.callback(stage.now, "the caller hung up"))
        capsys.readouterr()
        return record

    def test_a_caller_who_waits_for_too_long(
        self, stage: PolicyStage, listed: EscalationRecord, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """After half an hour a metric for an alarm counts it, every quarter of an hour."""
        stage.forward(1799)
        stage.check()
        assert "CallbacksOverdue" not in counted(capsys)
        for _ in range(2):
            stage.forward(900)
            stage.check()
            assert counted(capsys)["CallbacksOverdue"] == 1
        assert {delay for _, delay in stage.reminders[1:]} == {900}

    def test_an_earlier_reminder(self, stage: PolicyStage, listed: EscalationRecord) -> None:
        """It does nothing after a later check. Otherwise each failed callback would leave one more reminder."""
        stage.check(0)
        stage.reminders.clear()
        assert stage.check(0) == []
        assert stage.reminders == []
