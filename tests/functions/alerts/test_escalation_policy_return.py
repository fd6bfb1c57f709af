"""The escalation policy and a caller who may be alone in the conference: how they are returned to the agent."""

import pytest

from shared.calls.ending import CallEnd
from shared.escalations.record import WATCH_INTERVAL_S, EscalationRecord, Status
from shared.escalations.reminders import Reminder
from tests.escalations import CALL_SID
from tests.functions.alerts.lambda_events import PUBLIC_URL
from tests.functions.alerts.policy_stage import ID, PolicyStage

LEG, BENS_LEG = "CA9", "CA8"
BACK = (CALL_SID, f"{PUBLIC_URL}/transfer-ended")


@pytest.fixture
def waiting(stage: PolicyStage) -> EscalationRecord:
    """Maria waits on the phone, and the caller is in the conference, as far as Twilio knows."""
    stage.begin(created_at=stage.now)
    due = stage.later(150)
    stage.change(lambda record: record.accepted("maria", stage.now, due, name="Maria Lopez"))
    stage.change(lambda record: record.ready_on(LEG, "maria", stage.now, due))
    stage.calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ID})
    stage.rest.call_statuses |= {LEG: "in-progress", CALL_SID: "in-progress"}
    return stage.change(lambda record: record.caller_joined_conference(stage.now))


def left(stage: PolicyStage) -> EscalationRecord:
    """Maria has hung up; the desk has stored that and then died."""
    record = stage.change(lambda there: there.unassigned(stage.now, "hung up before the caller came"))
    stage.reminders.clear()
    stage.forward(WATCH_INTERVAL_S)
    return record


def agent_has_the_caller(stage: PolicyStage) -> None:
    """Records, as the voice function does, that the caller is with the agent again."""
    assert stage.calls.try_return(CALL_SID) is not None


class TestThePersonHasGone:
    """EscalationPolicy.check, when the person who waited has hung up and Twilio's status callback got lost"""

    @pytest.mark.parametrize("status", ["completed", "failed", None])
    def test_the_status_callback_got_lost(
        self, stage: PolicyStage, waiting: EscalationRecord, status: str | None
    ) -> None:
        """Ten seconds later Twilio is asked: the tier has the rest of its time, and the caller is returned."""
        stage.rest.call_statuses = {CALL_SID: "in-progress", **({LEG: status} if status else {})}
        stage.forward(WATCH_INTERVAL_S)
        assert stage.check() == []
        record = stage.record
        assert (record.status, record.tier, record.due_at) == (Status.ALERTED, 1, waiting.tier_ends_at)
        assert record.history[-1].detail == "hung up before the caller came"
        assert stage.rest.redirected == [BACK]

    def test_they_wait(self, stage: PolicyStage, waiting: EscalationRecord) -> None:
        """They are checked until their time is up, one reminder after the other."""
        stage.reminders.clear()
        stage.check()
        moments = stage.run_queue(149)
        assert moments == [10.0 * n for n in range(1, 15)]
        assert (stage.record.assignee, stage.rest.redirected) == ("maria", [])

    def test_twilio_does_not_say(self, stage: PolicyStage, waiting: EscalationRecord) -> None:
        """Twilio is asked again."""
        stage.rest.refuse[LEG] = 503
        stage.forward(WATCH_INTERVAL_S)
        assert stage.check() == []
        assert (stage.record.assignee, stage.reminders[-1][1]) == ("maria", WATCH_INTERVAL_S)

    @pytest.mark.usefixtures("waiting")
    def test_they_do_not_come_in_time(self, stage: PolicyStage) -> None:
        """The caller is returned at once, although Twilio does not say whether the person is there."""
        stage.rest.refuse[LEG] = 503
        stage.forward(150)
        assert stage.check() == []
        assert stage.rest.redirected == [BACK]


@pytest.mark.usefixtures("waiting")
class TestTheCallerIsAlone:
    """EscalationPolicy.check, when the caller was transferred and nobody is the assignee"""

    def test_again_and_again(self, stage: PolicyStage) -> None:
        """The return is retried while Twilio refuses it; once it succeeds, the next check finds the caller returned."""
        left(stage)
        stage.rest.refuse[CALL_SID] = 503
        stage.check()
        stage.run_queue(25)
        assert stage.rest.redirected == []
        stage.rest.refuse = {}
        stage.run_queue(10)
        assert stage.rest.redirected == [BACK]
        agent_has_the_caller(stage)
        stage.run_queue(60)
        assert stage.rest.redirected == [BACK]
        assert not stage.record.caller_alone

    @pytest.mark.parametrize("refusal", [400, 404])
    def test_the_call_is_over(self, stage: PolicyStage, refusal: int) -> None:
        """If Twilio says so, that is recorded, and nothing is left to do."""
        left(stage)
        stage.rest.refuse[CALL_SID] = refusal
        assert stage.check() == []
        assert stage.calls.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
        assert not stage.record.caller_alone

    @pytest.mark.parametrize("ended", [None, CallEnd.CALLER_HUNG_UP, CallEnd.FAILED, CallEnd.MOVED])
    def test_the_caller_is_elsewhere(self, stage: PolicyStage, ended: CallEnd | None) -> None:
        """A caller who is with the agent or has hung up is not redirected."""
        left(stage)
        agent_has_the_caller(stage)
        if ended:
            stage.calls.record_end(CALL_SID, ended)
        assert stage.check() == []
        assert stage.rest.redirected == []
        assert not stage.record.caller_alone

    def test_another_escalation_of_the_call(self, stage: PolicyStage) -> None:
        """The agent has escalated again, and the caller is with the person of that escalation."""
        left(stage)
        agent_has_the_caller(stage)
        stage.calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": f"{CALL_SID}-2"})
        assert stage.check() == []
        assert stage.rest.redirected == []
        assert not stage.record.caller_alone

    def test_somebody_has_it_anew(self, stage: PolicyStage) -> None:
        """A new assignee gets the caller. If they do not come either, the checks go on."""
        left(stage)
        due = stage.later(150)
        stage.change(lambda record: record.accepted("ben", stage.now, due, name="Ben"))
        stage.forward(100)
        assert stage.check() == []
        assert stage.rest.redirected == []
        stage.forward(50)
        assert stage.check() == []
        assert stage.rest.redirected == [BACK]

    @pytest.mark.parametrize("status", [Status.CALLBACK, Status.RESOLVED])
    def test_there_is_nothing_else_to_do(self, stage: PolicyStage, status: Status) -> None:
        """A record on the callback list or resolved is still checked; afterwards the promise is told, or nothing."""
        if status is Status.CALLBACK:
            stage.change(lambda record: record.callback(stage.now, "the caller could not be reached"))
        else:
            stage.change(lambda record: record.resolved("maria", stage.now, ""))
        stage.forward(WATCH_INTERVAL_S)
        stage.reminders.clear()
        texts = len(stage.rest.messages)
        stage.rest.refuse[CALL_SID] = 503
        assert stage.check() == []
        stage.rest.refuse = {}
        stage.run_queue(WATCH_INTERVAL_S)
        assert (stage.rest.redirected, len(stage.rest.messages)) == ([BACK], texts)
        agent_has_the_caller(stage)
        stage.run_queue(WATCH_INTERVAL_S)
        assert (stage.record.status, stage.record.caller_alone) == (status, False)
        assert (len(stage.rest.messages) > texts) is (status is Status.CALLBACK)
        assert [delay for _, delay in stage.reminders] == ([900] if status is Status.CALLBACK else [])

    def test_they_talked(self, stage: PolicyStage) -> None:
        """A person who resolves it during the conversation can go on talking."""
        stage.change(lambda record: record.connected(stage.now, stage.later(900)).resolved("maria", stage.now, "Done."))
        stage.forward(WATCH_INTERVAL_S)
        stage.check()
        stage.run_queue(600)
        assert stage.rest.redirected == []
        # They hang up, and the caller's return fails.
        stage.rest.call_statuses[LEG] = "completed"
        stage.run_queue(60)
        assert stage.rest.redirected == [BACK]

    def test_a_call_of_yesterday(self, stage: PolicyStage) -> None:
        """The checks end after a day, even if its end was never reported."""
        left(stage)
        stage.rest.refuse[CALL_SID] = 503
        stage.forward(24 * 3600)
        assert stage.check() == []
        assert not stage.record.caller_alone

    def test_the_table_is_away(self, stage: PolicyStage) -> None:
        """The same reminder is sent again in ten seconds and returns the caller then."""
        left(stage)
        assert stage.without_table(stage.check) == []
        [(reminder, delay)] = stage.reminders
        assert (reminder, delay) == (Reminder(escalation_id=ID, check=0, again=True), 10)
        stage.run_queue(10)
        assert stage.rest.redirected == [BACK]


class TestReminders:
    """Reminders do not multiply, however often they come"""

    @pytest.mark.usefixtures("waiting")
    def test_each_comes_twice(self, stage: PolicyStage) -> None:
        """While Twilio is away for ten minutes: one check every ten seconds, and one reminder of the next."""
        left(stage)
        stage.rest.refuse[CALL_SID] = 503
        stage.check()
        moments = stage.run_queue(600, copies=2)
        assert len(moments) == len(set(moments)) * 2
        assert len(stage.reminders) == 1

    @pytest.mark.usefixtures("waiting")
    def test_another_one_is_faster(self, stage: PolicyStage) -> None:
        """Between reading the record and beginning the check: then the other one checks and sends the next reminder."""
        left(stage)
        with stage.another_check_comes_first():
            assert stage.check(0) == []
        assert (stage.rest.redirected, len(stage.reminders), stage.record.checks) == ([BACK], 1, 1)

    @pytest.mark.usefixtures("waiting")
    def test_many_changes(self, stage: PolicyStage) -> None:
        """Each sends a reminder, and one check leaves only one of them."""
        left(stage)
        for _ in range(5):
            stage.send_reminder()
        stage.run_queue(0)
        stage.run_queue(30)
        assert len(stage.reminders) == 1

    @pytest.mark.usefixtures("waiting")
    def test_a_crash_after_the_check_was_begun(self, stage: PolicyStage) -> None:
        """The redelivered reminder sends the next one, which the first delivery did not; at most two are queued."""
        left(stage)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shared.escalations.caller_return.CallerReturn.settled", lambda *_: 1 / 0)
            assert stage.check(0) == [0]
        assert stage.reminders == []
        assert stage.check(0, received=2) == []
        assert stage.rest.redirected == [BACK]
        assert len(stage.reminders) == 1
