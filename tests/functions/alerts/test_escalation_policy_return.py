"""The ladder and a caller who may be alone with the music: who has left them, and how they come back to the agent."""

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
    """Maria has hung up, the desk has stored that, and then its function has died."""
    record = stage.change(lambda there: there.unassigned(stage.now, "hung up before the caller came"))
    stage.reminders.clear()
    stage.forward(WATCH_INTERVAL_S)
    return record


def agent_has_the_caller(stage: PolicyStage) -> None:
    """What the voice function does once Twilio asks it."""
    assert stage.calls.try_return(CALL_SID) is not None


class TestThePersonHasGone:
    """Ladder.look at somebody who waits, when the news that they hung up got lost"""

    @pytest.mark.parametrize("status", ["completed", "failed", None])
    def test_the_news_got_lost(self, stage: PolicyStage, waiting: EscalationRecord, status: str | None) -> None:
        """Ten seconds later Twilio is asked: the tier has the rest of its time, and the caller goes back."""
        stage.rest.call_statuses = {CALL_SID: "in-progress", **({LEG: status} if status else {})}
        stage.forward(WATCH_INTERVAL_S)
        assert stage.check() == []
        record = stage.record
        assert (record.status, record.tier, record.due_at) == (Status.ALERTED, 1, waiting.tier_ends_at)
        assert record.history[-1].detail == "hung up before the caller came"
        assert stage.rest.redirected == [BACK]

    def test_they_wait(self, stage: PolicyStage, waiting: EscalationRecord) -> None:
        """And are looked after until their time is up, one reminder after the other."""
        stage.reminders.clear()
        stage.check()
        moments = stage.play_on(149)
        assert moments == [10.0 * n for n in range(1, 15)]
        assert (stage.record.assignee, stage.rest.redirected) == ("maria", [])

    def test_twilio_does_not_say(self, stage: PolicyStage, waiting: EscalationRecord) -> None:
        """Then it is asked again."""
        stage.rest.refuse[LEG] = 503
        stage.forward(WATCH_INTERVAL_S)
        assert stage.check() == []
        assert (stage.record.assignee, stage.reminders[-1][1]) == ("maria", WATCH_INTERVAL_S)

    @pytest.mark.usefixtures("waiting")
    def test_they_do_not_come_in_time(self, stage: PolicyStage) -> None:
        """The caller goes back at once, though Twilio says nothing of the person."""
        stage.rest.refuse[LEG] = 503
        stage.forward(150)
        assert stage.check() == []
        assert stage.rest.redirected == [BACK]


@pytest.mark.usefixtures("waiting")
class TestTheCallerIsAlone:
    """Ladder.look at a record that nobody holds and whose caller was transferred"""

    def test_again_and_again(self, stage: PolicyStage) -> None:
        """As long as Twilio refuses; then once, and then it is seen that the caller is back."""
        left(stage)
        stage.rest.refuse[CALL_SID] = 503
        stage.check()
        stage.play_on(25)
        assert stage.rest.redirected == []
        stage.rest.refuse = {}
        stage.play_on(10)
        assert stage.rest.redirected == [BACK]
        agent_has_the_caller(stage)
        stage.play_on(60)
        assert stage.rest.redirected == [BACK]
        assert not stage.record.caller_alone

    @pytest.mark.parametrize("refusal", [400, 404])
    def test_the_call_is_over(self, stage: PolicyStage, refusal: int) -> None:
        """Twilio says so: that is recorded, and nothing is left to do."""
        left(stage)
        stage.rest.refuse[CALL_SID] = refusal
        assert stage.check() == []
        assert stage.calls.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
        assert not stage.record.caller_alone

    @pytest.mark.parametrize("ended", [None, CallEnd.CALLER_HUNG_UP, CallEnd.FAILED, CallEnd.MOVED])
    def test_the_caller_is_elsewhere(self, stage: PolicyStage, ended: CallEnd | None) -> None:
        """With the agent, or gone: nobody is interrupted."""
        left(stage)
        agent_has_the_caller(stage)
        if ended:
            stage.calls.record_end(CALL_SID, ended)
        assert stage.check() == []
        assert stage.rest.redirected == []
        assert not stage.record.caller_alone

    def test_another_escalation_of_the_call(self, stage: PolicyStage) -> None:
        """The agent has asked for a person anew, and the caller is with that one."""
        left(stage)
        agent_has_the_caller(stage)
        stage.calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": f"{CALL_SID}-2"})
        assert stage.check() == []
        assert stage.rest.redirected == []
        assert not stage.record.caller_alone

    def test_somebody_has_it_anew(self, stage: PolicyStage) -> None:
        """The caller is theirs; when they do not come either, it goes on."""
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
        """What is on the list or resolved is looked at all the same; then the promise is told, or nothing follows."""
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
        stage.play_on(WATCH_INTERVAL_S)
        assert (stage.rest.redirected, len(stage.rest.messages)) == ([BACK], texts)
        agent_has_the_caller(stage)
        stage.play_on(WATCH_INTERVAL_S)
        assert (stage.record.status, stage.record.caller_alone) == (status, False)
        assert (len(stage.rest.messages) > texts) is (status is Status.CALLBACK)
        assert [delay for _, delay in stage.reminders] == ([900] if status is Status.CALLBACK else [])

    def test_they_talked(self, stage: PolicyStage) -> None:
        """Who says during the conversation that it is dealt with goes on talking, for as long as they like."""
        stage.change(lambda record: record.connected(stage.now, stage.later(900)).resolved("maria", stage.now, "Done."))
        stage.forward(WATCH_INTERVAL_S)
        stage.check()
        stage.play_on(600)
        assert stage.rest.redirected == []
        # They hang up, and what should bring the caller back does not.
        stage.rest.call_statuses[LEG] = "completed"
        stage.play_on(60)
        assert stage.rest.redirected == [BACK]

    def test_a_call_of_yesterday(self, stage: PolicyStage) -> None:
        """Should nobody ever say what became of it, it ends all the same."""
        left(stage)
        stage.rest.refuse[CALL_SID] = 503
        stage.forward(24 * 3600)
        assert stage.check() == []
        assert not stage.record.caller_alone

    def test_the_table_is_away(self, stage: PolicyStage) -> None:
        """The same reminder comes again in ten seconds, and does it then."""
        left(stage)
        assert stage.without_table(stage.check) == []
        [(reminder, delay)] = stage.reminders
        assert (reminder, delay) == (Reminder(escalation_id=ID, check=0, again=True), 10)
        stage.play_on(10)
        assert stage.rest.redirected == [BACK]


class TestReminders:
    """However often reminders come, they do not add up"""

    @pytest.mark.usefixtures("waiting")
    def test_each_comes_twice(self, stage: PolicyStage) -> None:
        """For ten minutes of a Twilio that is away: one look in ten seconds, and one reminder for the next one."""
        left(stage)
        stage.rest.refuse[CALL_SID] = 503
        stage.check()
        moments = stage.play_on(600, copies=2)
        assert len(moments) == len(set(moments)) * 2
        assert len(stage.reminders) == 1

    @pytest.mark.usefixtures("waiting")
    def test_another_one_is_faster(self, stage: PolicyStage) -> None:
        """Between reading and beginning: then the look is that one's, and so is the next reminder."""
        left(stage)
        with stage.somebody_else_looks_first():
            assert stage.check(0) == []
        assert (stage.rest.redirected, len(stage.reminders), stage.record.checks) == ([BACK], 1, 1)

    @pytest.mark.usefixtures("waiting")
    def test_many_changes(self, stage: PolicyStage) -> None:
        """Each sends a reminder, and one look ends them all but one."""
        left(stage)
        for _ in range(5):
            stage.remind_of_now()
        stage.play_on(0)
        stage.play_on(30)
        assert len(stage.reminders) == 1

    @pytest.mark.usefixtures("waiting")
    def test_a_crash_after_the_look_was_begun(self, stage: PolicyStage) -> None:
        """The reminder comes again, and sends the next one that the first time could not; two at most are then out."""
        left(stage)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shared.escalations.caller_return.CallerReturn.settled", lambda *_: 1 / 0)
            assert stage.check(0) == [0]
        assert stage.reminders == []
        assert stage.check(0, received=2) == []
        assert stage.rest.redirected == [BACK]
        assert len(stage.reminders) == 1
