"""The ladder and what somebody has taken, or is to call back."""

import pytest

from shared.escalations.record import EscalationRecord, Status
from tests.escalations import CALL_SID
from tests.functions.alerts.policy_stage import CARLA, MARIA, PolicyStage, counted


class TestTaken:
    """Ladder.look at what somebody has taken"""

    @pytest.fixture
    def accepted(self, stage: PolicyStage) -> EscalationRecord:
        """Maria has taken it, and has a minute and a half."""
        stage.begin()
        due = stage.later(90)
        return stage.change(lambda record: record.accepted("maria", stage.now, due, name="Maria Lopez"))

    @pytest.fixture
    def connected(self, stage: PolicyStage, accepted: EscalationRecord) -> EscalationRecord:
        """Maria and the caller talk."""
        due = stage.later(900)
        return stage.change(lambda record: record.ready_on("CA9", "maria", stage.now, due).connected(stage.now, due))

    def test_the_person_does_not_come(self, stage: PolicyStage, accepted: EscalationRecord) -> None:
        """It is taken from them, and the next tier is alerted."""
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
    def test_nobody_said_that_they_came(
        self, stage: PolicyStage, accepted: EscalationRecord, person: str, caller: str, status: Status
    ) -> None:
        """Twilio knows whether they are together in the conference all the same; then nobody else is fetched."""
        due = stage.later(150)
        stage.change(lambda record: record.ready_on("CA9", "maria", stage.now, due).caller_joined_conference(stage.now))
        stage.rest.call_statuses |= {"CA9": person, CALL_SID: caller}
        stage.forward(150)
        assert stage.check() == []
        assert stage.record.status is status
        assert (CARLA in stage.rung) is (status is Status.ALERTED)

    def test_twilio_does_not_say_that_they_came(self, stage: PolicyStage, accepted: EscalationRecord) -> None:
        """Others are asked: nobody waits for ever for a person of whom nothing is known."""
        due = stage.later(150)
        stage.change(lambda record: record.ready_on("CA9", "maria", stage.now, due).caller_joined_conference(stage.now))
        stage.rest.refuse["CA9"] = 503
        stage.forward(150)
        assert stage.check() == []
        assert stage.record.status is Status.ALERTED

    def test_a_call_back_that_does_not_come(self, stage: PolicyStage) -> None:
        """It is on the list again."""
        stage.begin()
        stage.change(lambda record: record.expired(stage.now, "nobody accepted it"))
        due = stage.later(90)
        stage.change(lambda record: record.accepted("maria", stage.now, due, callback=True))
        stage.forward(90)
        assert stage.check() == []
        assert stage.record.status is Status.CALLBACK

    def test_they_still_talk(self, stage: PolicyStage, connected: EscalationRecord) -> None:
        """It is looked at again in a quarter of an hour."""
        stage.rest.call_statuses["CA9"] = "in-progress"
        stage.forward(900)
        assert stage.check() == []
        assert (stage.record.status, stage.reminders[-1][1]) == (Status.CONNECTED, 900)

    @pytest.mark.parametrize("status", ["completed", None])
    def test_nobody_said_that_it_was_over(
        self, stage: PolicyStage, connected: EscalationRecord, status: str | None
    ) -> None:
        """The person's leg has ended, or Twilio knows it no more: then they have talked."""
        if status:
            stage.rest.call_statuses["CA9"] = status
        stage.forward(900)
        assert stage.check() == []
        assert stage.record.status is Status.RESOLVED
        assert stage.record.history[-1].detail == "talked 900 s"

    def test_twilio_is_away(self, stage: PolicyStage, connected: EscalationRecord) -> None:
        """Nothing is known, and it is asked again soon."""
        stage.rest.refuse["CA9"] = 503
        stage.forward(900)
        assert stage.check() == []
        assert (stage.record.status, stage.reminders[-1][1]) == (Status.CONNECTED, 60)


class TestTheCallBackList:
    """Ladder.look at what is on the list"""

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
        """After half an hour an alarm hears of it, every quarter of an hour."""
        stage.forward(1799)
        stage.check()
        assert "CallbacksOverdue" not in counted(capsys)
        for _ in range(2):
            stage.forward(900)
            stage.check()
            assert counted(capsys)["CallbacksOverdue"] == 1
        assert {delay for _, delay in stage.reminders[1:]} == {900}

    def test_an_earlier_reminder(self, stage: PolicyStage, listed: EscalationRecord) -> None:
        """It ends, since a later look has been made; otherwise each call back in vain would add one for ever."""
        stage.check(0)
        stage.reminders.clear()
        assert stage.check(0) == []
        assert stage.reminders == []
