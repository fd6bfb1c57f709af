"""A person on the phone takes the call over: the caller is told first, and no failure on the way loses the caller."""

from typing import Any

import pytest

from shared.calls.ending import CallEnd
from shared.calls.transcript import TranscriptEntry
from shared.escalations.record import EscalationRecord, Status
from tests.escalations import escalation
from tests.worker.conversation.waiting import ASKED, asks, checks, sees, speaks
from tests.worker.dialogue import STARTED_AT, Dialogue, of_type, only, outputs, requests, to_model
from worker.conversation.effects import (
    CheckEscalation,
    ClearPlayback,
    EscalationNotSeen,
    EscalationSeen,
    EscalationSent,
    HangUp,
    ModelLost,
    SendEscalation,
    StreamLost,
    Timer,
    WriteTranscript,
)
from worker.conversation.resumption import ResumedCall

READY: Any = {"status": Status.ACCEPTED, "person": "Maria Lopez", "ready": True}
TRANSFERRED = HangUp(CallEnd.TRANSFERRED, "person_ready", "CA1-1")


@pytest.fixture
def waiting(greeted: Dialogue) -> Dialogue:
    """A call whose caller waits for a person."""
    asks(greeted)
    return greeted


@pytest.fixture
def joining(waiting: Dialogue) -> Dialogue:
    """The assignee waits on the phone, and the agent has begun to say so."""
    request = only(requests(sees(waiting, **READY)))
    waiting.created("joins", answers=request)
    waiting.says("joins", "item_joins", 2_000, "Maria Lopez is joining you now.")
    return waiting


def test_the_caller_hears_who_joins_before_the_transfer(waiting: Dialogue) -> None:
    """The call is transferred, for this escalation, when the last mark of the sentence is echoed."""
    request = only(requests(sees(waiting, **READY)))
    assert "Maria Lopez is joining now" in request["response"]["instructions"]
    assert request["response"]["tool_choice"] == "none"
    waiting.created("r1", answers=request)
    waiting.says("r1", "i1", 2_000, "Maria Lopez is joining you now.")
    assert not of_type(waiting.done("r1"), HangUp)
    assert only(of_type(waiting.echo_all(), HangUp)) == TRANSFERRED
    kept = [turn for keep in of_type(waiting.effects, WriteTranscript) for _, turn in keep.turns]
    assert "Maria Lopez is on the phone" in next(turn.text for turn in reversed(kept) if turn.role == "tool")


def test_the_agent_finishes_first(waiting: Dialogue) -> None:
    """An assignee who becomes ready during an answer waits for its end."""
    waiting.caller_turn()
    waiting.created("r1")
    assert not requests(sees(waiting, **READY))
    waiting.says("r1", "i1", 500, "At noon.")
    assert requests(waiting.done("r1"))


def test_the_sentence_is_not_interrupted(joining: Dialogue) -> None:
    """A caller who says "thank you" during it hears all of it, gets no other answer, and is handed over."""
    joining.done("joins")
    assert not of_type(joining.caller_turn("u2"), ClearPlayback)
    assert not of_type(joining.press("1"), ClearPlayback)
    cancelled = only(to_model(joining.created("server's own"), "response.cancel"))
    assert cancelled["response_id"] == "server's own"
    assert not of_type(joining.done("server's own", "cancelled"), HangUp)
    assert not requests(joining.fire(Timer.KEYPAD))
    assert only(of_type(joining.echo_all(), HangUp)) == TRANSFERRED


def test_a_sentence_that_was_cut_off_is_said_again(joining: Dialogue) -> None:
    """The caller spoke before the model had finished it: they are answered first, and then it is said again."""
    joining.caller_turn("u2")
    assert not of_type(joining.done("joins", "cancelled"), HangUp)
    joining.created("answer")
    joining.says("answer", "i2", 300, "Yes?")
    request = only(requests(joining.done("answer")))
    assert "Maria Lopez is joining now" in request["response"]["instructions"]
    assert not of_type(joining.echo_all(), HangUp)
    joining.created("r3", answers=request)
    joining.says("r3", "i3", 1_000, "Maria Lopez is joining you now.")
    joining.done("r3")
    assert only(of_type(joining.echo_all(), HangUp)) == TRANSFERRED


def test_a_sentence_that_gets_stuck_is_limited(joining: Dialogue) -> None:
    """The assignee waits on the phone: after a time-out the call is transferred without the sentence."""
    joining.caller_speaks()
    assert joining.running[Timer.FAREWELL] - joining.now < 15_000
    assert only(of_type(joining.fire(Timer.FAREWELL), HangUp)) == TRANSFERRED


def test_a_sentence_that_fails(waiting: Dialogue) -> None:
    """If the model fails twice, the call goes to the assignee instead of ending with an apology."""
    request = only(requests(sees(waiting, **READY)))
    waiting.created("r1", answers=request)
    assert not of_type(waiting.done("r1", "failed", "server_error"), HangUp)
    again = only(requests(waiting.fire(Timer.RETRY)))
    waiting.created("r2", answers=again)
    assert only(of_type(waiting.done("r2", "failed", "server_error"), HangUp)) == TRANSFERRED


def test_the_model_is_lost_for_good(joining: Dialogue) -> None:
    """If the session cannot be restored, the call is transferred at once."""
    assert only(of_type(joining.feed(ModelLost("insufficient_quota", final=True)), HangUp)) == TRANSFERRED


def test_the_session_is_lost_in_the_sentence(joining: Dialogue) -> None:
    """The next session says the sentence."""
    joining.feed(ModelLost("model_closed"))
    joining.fire(Timer.RECONNECT)
    joining.echo_all()
    assert not joining.call.ended
    request = only(requests(joining.ready()))
    assert "Maria Lopez is joining now" in request["response"]["instructions"]


def test_a_person_who_hangs_up_before_it(joining: Dialogue) -> None:
    """The hand-over is cancelled: the caller stays with the agent and is told."""
    joining.done("joins")
    request = only(requests(sees(joining, Status.ALERTED)))
    assert "Maria Lopez could not join after all" in request["response"]["instructions"]
    speaks(joining, request, "r2")
    assert not joining.call.ended
    assert Timer.FAREWELL not in joining.running
    assert "Ben is joining now" in str(sees(joining, Status.ACCEPTED, "Ben", ready=True))


def test_a_check_that_fails_during_the_sentence(joining: Dialogue) -> None:
    """The last known status still counts."""
    joining.done("joins")
    checks(joining)
    joining.feed(EscalationNotSeen("CA1-1"))
    assert only(of_type(joining.echo_all(), HangUp)) == TRANSFERRED


def test_it_comes_before_a_goodbye(waiting: Dialogue) -> None:
    """The assignee becomes ready when a goodbye is due: the hand-over replaces the goodbye."""
    waiting.created("r1")
    waiting.calls("r1", "c2", "end_call")
    sees(waiting, **READY)
    request = only(requests(waiting.done("r1")))
    assert "joining now" in request["response"]["instructions"]
    assert "goodbye" not in request["response"]["instructions"]
    waiting.fire(Timer.TIME_LIMIT)
    waiting.created("r2", answers=request)
    waiting.says("r2", "i2", 500, "Maria Lopez is joining you now.")
    waiting.done("r2")
    assert only(of_type(waiting.echo_all(), HangUp)) == TRANSFERRED


def test_a_goodbye_that_is_being_said_is_not_the_sentence(waiting: Dialogue) -> None:
    """The end of the goodbye does not transfer the call."""
    waiting.created("r1")
    waiting.calls("r1", "c2", "end_call")
    goodbye = only(requests(waiting.done("r1")))
    waiting.created("r2", answers=goodbye)
    waiting.says("r2", "i2", 500, "Goodbye.")
    sees(waiting, **READY)
    request = only(requests(waiting.done("r2")))
    assert "joining now" in request["response"]["instructions"]
    assert not of_type(waiting.echo_all(), HangUp)


def test_an_assignee_who_calls_back_does_not_join(waiting: Dialogue) -> None:
    """The assignee is on the phone to call the caller back, so there is no hand-over."""
    effects = sees(waiting, Status.ACCEPTED, "Maria", ready=True, calling_back=True)
    assert "will call the caller back" in str(requests(effects))
    assert Timer.FAREWELL not in waiting.running


class TestAnotherWorker:
    """A call that comes from another worker, or back from a person."""

    ASKED = TranscriptEntry(
        role="tool", text='You called escalate_to_human({}). It gave: {"status": "sent"}', at=STARTED_AT
    )

    def record(self, *, ready: bool = False, connected: bool = False) -> EscalationRecord:
        """The call's escalation, which Maria has taken."""
        record = EscalationRecord.queued(escalation(escalation_id="CA1-1", revision=3), STARTED_AT)
        record = record.alerted(1, STARTED_AT, STARTED_AT).accepted("maria", STARTED_AT, STARTED_AT, name="Maria Lopez")
        if ready or connected:
            record = record.ready_on("CA9", "maria", STARTED_AT, STARTED_AT)
        return record.connected(STARTED_AT, STARTED_AT) if connected else record

    def test_checks_continue(self) -> None:
        """The call was lost after a person accepted: it is checked at once, and handed over when they are ready."""
        dialogue = Dialogue(past=ResumedCall({0: self.ASKED}, apologise=True, records=(self.record(),)))
        assert of_type(dialogue.effects, CheckEscalation) == [CheckEscalation("CA1-1")]
        dialogue.feed(EscalationSeen("CA1-1", **READY))
        request = only(requests(dialogue.ready()))
        assert "Maria Lopez is joining now" in request["response"]["instructions"]
        speaks(dialogue, request, "r1")
        assert dialogue.call.ended == TRANSFERRED

    def test_the_table_does_not_know_it_yet(self) -> None:
        """The model was told that it was sent, but the alerts function has not stored it yet: it is checked."""
        dialogue = Dialogue(past=ResumedCall({0: self.ASKED}, apologise=False))
        assert of_type(dialogue.effects, CheckEscalation) == [CheckEscalation("CA1-1")]

    def test_there_was_none(self) -> None:
        """Without an escalation there is no check."""
        dialogue = Dialogue(
            past=ResumedCall({0: TranscriptEntry(role="agent", text="Hello!", at=STARTED_AT)}, apologise=False)
        )
        assert not of_type(dialogue.effects, CheckEscalation)

    def test_its_revisions_go_on(self) -> None:
        """From the record's revision, if that is higher than the number of requests in the transcript."""
        dialogue = Dialogue(past=ResumedCall({}, apologise=False, records=(self.record(),)))
        dialogue.ready()
        dialogue.created("r1")
        again = only(of_type(dialogue.calls("r1", "c1", "escalate_to_human", ASKED), SendEscalation)).escalation
        assert (again.escalation_id, again.revision) == ("CA1-1", 4)
        assert "updated" in outputs(dialogue.feed(EscalationSent("c1")))["c1"]

    def test_back_from_a_person(self) -> None:
        """The agent asks whether there is anything else; the next request is a new escalation."""
        dialogue = Dialogue(
            past=ResumedCall({}, apologise=False, returned=True, records=(self.record(connected=True),))
        )
        request = only(requests(dialogue.ready()))
        assert "Maria Lopez, who has spoken to them, has left" in request["response"]["instructions"]
        assert not of_type(dialogue.effects, CheckEscalation)
        speaks(dialogue, request, "r1")
        dialogue.created("r2")
        effects = dialogue.calls("r2", "c1", "escalate_to_human", ASKED)
        assert only(of_type(effects, SendEscalation)).escalation.escalation_id == "CA1-2"

    def test_back_because_the_assignee_left(self) -> None:
        """The record still says ready: the call is not handed over to that person again, but to the next one."""
        dialogue = Dialogue(past=ResumedCall({}, apologise=False, returned=True, records=(self.record(ready=True),)))
        dialogue.feed(EscalationSeen("CA1-1", **READY))
        request = only(requests(dialogue.ready()))
        assert "Maria Lopez could not join after all" in request["response"]["instructions"]
        speaks(dialogue, request, "r1")
        assert not requests(sees(dialogue, Status.ALERTED))
        assert "Maria Lopez is joining now" in str(requests(sees(dialogue, **READY)))

    def test_back_when_it_is_unassigned(self) -> None:
        """The record says that the assignee has left; the agent uses the name that the caller was told."""
        record = self.record(ready=True).unassigned(STARTED_AT, "hung up", "maria")
        dialogue = Dialogue(past=ResumedCall({}, apologise=False, returned=True, records=(record,)))
        request = only(requests(dialogue.ready()))
        assert "Maria Lopez could not join after all" in request["response"]["instructions"]

    @pytest.mark.parametrize("talked", [False, True])
    def test_back_when_it_is_handled(self, talked: bool) -> None:
        """The agent mentions a conversation only if there was one: an escalation can be resolved without it."""
        record = self.record(ready=True, connected=talked).resolved("maria", STARTED_AT, "Called the bank.")
        dialogue = Dialogue(past=ResumedCall({}, apologise=False, returned=True, records=(record,)))
        instructions = only(requests(dialogue.ready()))["response"]["instructions"]
        assert ("Maria Lopez, who has spoken to them, has left" in instructions) is talked
        assert ("Maria Lopez could not join after all" in instructions) is not talked

    def test_back_from_the_second_who_did_not_come(self) -> None:
        """Maria talked to the caller and was cut off; then Ben accepted and did not come."""
        record = self.record(connected=True).callback(STARTED_AT, "cut off")
        record = record.accepted("ben", STARTED_AT, STARTED_AT, name="Ben").ready_on(
            "CA8", "ben", STARTED_AT, STARTED_AT
        )
        dialogue = Dialogue(
            past=ResumedCall({}, apologise=False, returned=True, records=(record.unassigned(STARTED_AT, "gone"),))
        )
        assert "Ben could not join after all" in only(requests(dialogue.ready()))["response"]["instructions"]

    def test_a_worker_that_drains_during_the_sentence(self, joining: Dialogue) -> None:
        """The call moves to another worker, which says the sentence and hands over."""
        assert only(of_type(joining.feed(StreamLost("worker_stopping")), HangUp)).ended is CallEnd.MOVED
