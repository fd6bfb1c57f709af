"""Callbacks to a caller, and the ends of calls to a person, reported late, twice or for another leg."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.escalations.record import Status
from shared.escalations.store import EscalationStore
from tests.escalations import CALL_SID, CALLED, escalation
from tests.functions.desk.desk_requests import (
    ESCALATION_ID,
    LEG,
    OFFER,
    OTHER_LEG,
    PUBLIC_URL,
    asks,
    headline,
    link,
    look,
    tap,
)
from tests.functions.desk.phone.phone_legs import Now, attributes, says, spoken
from tests.twilio_rest import TwilioRest

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)


class TestCallBack:
    """The person is on the line, and the caller's phone rings."""

    @pytest.fixture
    def calling(self, waiting: EscalationStore, calls: CallStore) -> EscalationStore:
        """Maria waits for the caller's phone to be answered."""
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        return waiting

    @pytest.mark.usefixtures("calling")
    def test_reached(self, web: TestClient, now: Now) -> None:
        """Connected when they answer, resolved when they have talked; each may be reported twice."""
        for _ in range(2):
            asks(web, f"/desk/{link()}/answered", CallSid=OTHER_LEG, ParentCallSid=LEG)
        assert now().status is Status.CONNECTED
        for _ in range(2):
            says(web, "/called-back", DialCallStatus="completed", DialCallDuration="73")
        assert now().status is Status.RESOLVED

    @pytest.mark.usefixtures("calling")
    def test_the_status_callback_got_lost(self, web: TestClient, now: Now) -> None:
        """It is resolved although the report that they answered got lost."""
        says(web, "/called-back", DialCallStatus="completed")
        assert now().status is Status.RESOLVED

    @pytest.mark.usefixtures("calling")
    @pytest.mark.parametrize("status", ["no-answer", "busy", "failed", "canceled"])
    def test_not_reached(self, web: TestClient, now: Now, status: str) -> None:
        """It is on the callback list, and the person is told so."""
        for _ in range(2):
            assert "could not be reached" in spoken(says(web, "/called-back", DialCallStatus=status))
        assert (now().status, now().assignee) == (Status.CALLBACK, None)

    @pytest.mark.usefixtures("calling")
    def test_a_late_report_does_not_unassign_somebody_else(
        self, web: TestClient, now: Now, alerted: EscalationStore
    ) -> None:
        """Ben is the assignee by then."""
        alerted.change(
            ESCALATION_ID, lambda record: record.unassigned(NOW, "gone", "maria").accepted("ben", NOW, LATER)
        )
        says(web, "/called-back", DialCallStatus="no-answer")
        asks(web, f"/desk/{link()}/answered", CallSid=OTHER_LEG, ParentCallSid=LEG)
        assert (now().status, now().assignee) == (Status.ACCEPTED, "ben")

    def test_the_number_that_they_asked_for(
        self, web: TestClient, escalations: EscalationStore, waiting: EscalationStore, calls: CallStore
    ) -> None:
        """It is called instead of the one that they called from."""
        escalations.upsert(escalation(revision=2, callback_number="+15550001111"), NOW)
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        assert attributes(says(web, "/wait?turn=0"), "Dial/Number")["text"] == "+15550001111"

    def test_no_number(
        self, web: TestClient, escalations: EscalationStore, waiting: EscalationStore, now: Now, calls: CallStore
    ) -> None:
        """The person is told so, and it is on the callback list until somebody resolves it."""
        escalations.upsert(escalation(revision=2, caller="anonymous"), NOW)
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        assert "left no number" in spoken(says(web, "/wait?turn=0"))
        assert now().status is Status.CALLBACK

    @pytest.mark.usefixtures("calling")
    def test_caller_id_without_a_number_of_its_own(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """The caller id is the number that the caller called."""
        environ.setenv("ALERT_FROM", "MG" + "0" * 32)
        assert attributes(says(web, "/wait?turn=0"), "Dial")["callerId"] == CALLED


class TestEnded:
    """A call to a person is over."""

    @pytest.mark.parametrize(
        ("status", "why"),
        [
            ("no-answer", "nobody picked up"),
            ("busy", "the line was busy, or the call was declined"),
            ("failed", "there was no connection"),
            ("canceled", "there was no connection"),
            ("completed", "no key was pressed"),
        ],
    )
    def test_an_offer_is_not_heard(self, web: TestClient, now: Now, status: str, why: str) -> None:
        """That is not a decline: only the phone channel has failed, also if reported twice. Maria keeps her time."""
        before = now()
        for _ in range(2):
            asks(web, f"/desk/{link('ben')}/leg-ended", CallSid=OFFER, CallStatus=status)
        assert (now().declined_by, now().candidates, now().due_at) == ((), ("maria",), before.due_at)
        page = look(web, link("ben"))
        assert f"You could not be reached by phone: {why}. You can still take it." in page
        assert f"Ben Okafor could not be reached by phone: {why}" in look(web, link())
        assert headline(tap(web, link("ben"), "take").text) == "Your phone rings"

    def test_the_last_one_is_not_heard(self, web: TestClient, now: Now) -> None:
        """The others have declined, so the next tier is due at once."""
        tap(web, link(), "pass-on")
        asks(web, f"/desk/{link('ben')}/leg-ended", CallSid=OFFER, CallStatus="busy")
        assert now().candidates == ()
        assert now().due_at == now().history[-1].at

    def test_an_offer_that_was_declined(self, web: TestClient, now: Now) -> None:
        """The end of that call changes nothing."""
        says(web, "/pressed?purpose=offer", "ben", CallSid=OFFER, Digits="2")
        history = now().history
        asks(web, f"/desk/{link('ben')}/leg-ended", CallSid=OFFER, CallStatus="completed")
        assert (now().history, now().declined_by) == (history, ("ben",))
        assert "Ben Okafor passed it on" in look(web, link())

    def test_an_offer_that_was_taken(self, web: TestClient, now: Now) -> None:
        """Ben hangs up while he waits: that is one history entry, and no channel to him is left."""
        says(web, "/pressed?purpose=offer", "ben", CallSid=OFFER, Digits="1")
        asks(web, f"/desk/{link('ben')}/leg-ended", CallSid=OFFER, CallStatus="completed")
        assert (now().status, now().candidates, now().declined_by) == (Status.ALERTED, ("maria",), ())
        assert now().history[-1].detail == "hung up before the caller came"

    def test_nobody_picks_up_after_a_tap(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """It is unassigned for the rest of the tier's time, and the page says why."""
        due = now().due_at
        tap(web, link(), "take")
        callback = twilio.calls[0]["StatusCallback"].removeprefix(PUBLIC_URL)
        asks(web, callback, CallStatus="no-answer")
        assert (now().status, now().assignee, now().due_at) == (Status.ALERTED, None, due)
        assert "That did not work: nobody picked up and pressed 1" in web.get(f"/desk/{link()}").text

    def test_the_end_of_an_earlier_try(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """Reported late, it does not end the call that is ringing now."""
        tap(web, link(), "take")
        tap(web, link(), "pass-on")
        tap(web, link(), "take")
        first, second = (call["StatusCallback"].removeprefix(PUBLIC_URL) for call in twilio.calls)
        asks(web, first, CallStatus="no-answer")
        assert now().assignee == "maria"
        asks(web, second, CallSid=OTHER_LEG, CallStatus="no-answer")
        assert now().assignee is None

    def test_an_offer_that_ends_after_a_tap(self, web: TestClient, now: Now) -> None:
        """The same person accepted by link and did not answer the other call."""
        tap(web, link(), "take")
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="no-answer")
        assert now().assignee == "maria"

    @pytest.mark.usefixtures("waiting")
    def test_the_person_hangs_up_while_waiting(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """Others are alerted; the caller is still with the agent and notices nothing."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert (now().status, now().assignee, now().leg) == (Status.ALERTED, None, None)
        assert twilio.redirected == []

    @pytest.mark.parametrize("refused", [False, True])
    def test_the_person_hangs_up_in_the_last_moment(
        self, web: TestClient, waiting: EscalationStore, now: Now, calls: CallStore, twilio: TwilioRest, refused: bool
    ) -> None:
        """The caller, already in the conference, is returned to the agent; if Twilio refuses, that is tried again."""
        calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
        waiting.change(ESCALATION_ID, lambda record: record.caller_joined_conference(NOW))
        if refused:
            twilio.refuse[CALL_SID] = 503
        answer = asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert answer.status_code == 204
        assert now().assignee is None
        assert now().caller_alone
        assert twilio.redirected == ([] if refused else [(CALL_SID, f"{PUBLIC_URL}/transfer-ended")])

    @pytest.mark.usefixtures("together")
    def test_the_person_hangs_up_while_talking(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """It is resolved; the end of the conference returns the caller."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed", CallSid=OTHER_LEG)
        assert now().status is Status.CONNECTED
        for _ in range(2):
            asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert now().status is Status.RESOLVED
        assert twilio.redirected == []

    @pytest.mark.usefixtures("waiting")
    def test_a_call_that_is_not_over(self, web: TestClient, now: Now) -> None:
        """A status callback that is not about an end changes nothing."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="in-progress")
        assert now().ready
