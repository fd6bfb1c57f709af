"""A person's phone leg between the key and the goodbye; requests whose answer may get lost are repeated."""

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from functions.desk.phone.menu import LAST_TURN
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.escalations.record import Status
from shared.escalations.store import EscalationStore
from shared.twilio.calls import TALK_LIMIT_S
from shared.twilio.rest import Telephony
from tests.escalations import CALL_SID, CALLER
from tests.functions.desk.desk_requests import (
    ESCALATION_ID,
    OTHER_LEG,
    OUR_NUMBER,
    PUBLIC_URL,
    link,
    tap,
)
from tests.functions.desk.phone.phone_legs import Now, attributes, next_url, says, spoken, verbs
from tests.twilio_rest import TwilioRest

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)


class TestWait:
    """Between pressing 1 and being connected."""

    @pytest.mark.usefixtures("waiting")
    def test_turn_by_turn(self, web: TestClient) -> None:
        """The person hears a sentence every few seconds."""
        twiml = says(web, "/wait?turn=0")
        assert verbs(twiml) == ["Say", "Pause", "Redirect"]
        assert attributes(twiml, "Pause")["length"] == "1"
        assert next_url(twiml) == f"/desk/{link()}/wait?turn=1"

    def test_the_caller_is_there(self, web: TestClient, waiting: EscalationStore) -> None:
        """The person joins the caller's conference, which ends for both when either leaves."""
        waiting.change(ESCALATION_ID, lambda record: record.caller_joined_conference(NOW))
        twiml = says(web, "/wait?turn=1")
        dial = attributes(twiml, "Dial")
        assert (dial["action"], dial["timeLimit"]) == (f"{PUBLIC_URL}/desk/{link()}/left", str(TALK_LIMIT_S))
        assert attributes(twiml, "Dial/Conference") == {
            "text": ESCALATION_ID,
            "startConferenceOnEnter": "true",
            "endConferenceOnExit": "true",
            "beep": "false",
            "participantLabel": "person",
            "statusCallback": f"{PUBLIC_URL}/desk/conference?escalation={ESCALATION_ID}",
            "statusCallbackEvent": "join leave",
        }

    @pytest.mark.usefixtures("waiting")
    def test_the_caller_hangs_up_meanwhile(self, web: TestClient, calls: CallStore) -> None:
        """They are called back on the same leg."""
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        twiml = says(web, "/wait?turn=1")
        assert spoken(twiml) == "The caller has hung up. Calling them back at 1 5 5 5 1 2 3 4 5 6 7."
        dial = attributes(twiml, "Dial")
        assert (dial["callerId"], dial["answerOnBridge"]) == (OUR_NUMBER, "true")
        assert dial["timeLimit"] == str(TALK_LIMIT_S)
        assert dial["action"] == f"{PUBLIC_URL}/desk/{link()}/called-back"
        number = attributes(twiml, "Dial/Number")
        assert (number["text"], number["statusCallbackEvent"]) == (CALLER, "answered")

    @pytest.mark.usefixtures("waiting")
    @pytest.mark.parametrize("status", ["completed", None])
    def test_a_call_that_only_twilio_knows_is_over(
        self, web: TestClient, twilio: TwilioRest, calls: CallStore, status: str | None
    ) -> None:
        """The end could not be recorded; from the third turn on Twilio is asked, and the end is recorded."""
        twilio.call_statuses = {CALL_SID: status} if status else {}
        assert verbs(says(web, "/wait?turn=1")) == ["Say", "Pause", "Redirect"]
        assert "Calling them back" in spoken(says(web, "/wait?turn=2"))
        assert calls.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP

    @pytest.mark.usefixtures("waiting")
    def test_twilio_does_not_say(self, web: TestClient, twilio: TwilioRest, environ: pytest.MonkeyPatch) -> None:
        """The person goes on waiting, without many seconds of silence."""
        environ.setattr("shared.twilio.rest.READ_TIMEOUT_S", 0.1)
        twilio.refuse[CALL_SID] = 503
        assert verbs(says(web, "/wait?turn=2")) == ["Say", "Pause", "Redirect"]
        del twilio.refuse[CALL_SID]
        twilio.hang.set()
        assert verbs(says(web, "/wait?turn=2")) == ["Say", "Pause", "Redirect"]

    @pytest.mark.usefixtures("waiting")
    def test_twilio_is_not_waited_for(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """The desk answers while its request to Twilio is still running."""
        answered = threading.Event()
        environ.setattr("functions.desk.phone.menu.STATUS_WITHIN_S", 0.05)
        environ.setattr(Telephony, "status_of", lambda _self, _sid: answered.wait(30))
        assert verbs(says(web, "/wait?turn=2")) == ["Say", "Pause", "Redirect"]
        answered.set()

    @pytest.mark.usefixtures("waiting")
    def test_the_callers_event_got_lost(self, web: TestClient, calls: CallStore) -> None:
        """The person joins a caller who was transferred, although the event that they joined got lost."""
        calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
        assert verbs(says(web, "/wait?turn=1")) == ["Say", "Pause", "Redirect"]
        assert verbs(says(web, "/wait?turn=2")) == ["Dial"]

    @pytest.mark.usefixtures("waiting")
    def test_the_caller_does_not_come(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """After the last turn it is unassigned, and others are alerted."""
        twiml = says(web, f"/wait?turn={LAST_TURN}")
        assert verbs(twiml) == ["Say", "Hangup"]
        assert (now().status, now().assignee) == (Status.ALERTED, None)
        assert now().due_at is not None
        assert twilio.redirected == []
        assert "not yours any more" in spoken(says(web, f"/wait?turn={LAST_TURN}"))

    @pytest.mark.usefixtures("waiting")
    def test_another_leg_is_not_let_in(self, web: TestClient) -> None:
        """Another leg or another person does not get the caller."""
        assert verbs(says(web, "/wait?turn=0", CallSid=OTHER_LEG)) == ["Say", "Hangup"]
        assert "Maria Lopez has taken it" in spoken(says(web, "/wait?turn=0", "ben"))


class TestLeft:
    """After the conference."""

    @pytest.mark.usefixtures("together")
    def test_the_caller_hangs_up(self, web: TestClient, now: Now) -> None:
        """A goodbye, and it is resolved, also if Twilio repeats the request."""
        for _ in range(2):
            assert spoken(says(web, "/left")) == "The caller has left. Thank you. Goodbye."
        assert (now().status, now().person) == (Status.RESOLVED, "maria")
        assert re.fullmatch(r"talked \d+ s", now().history[-1].detail)

    @pytest.mark.usefixtures("together")
    def test_another_leg(self, web: TestClient, now: Now) -> None:
        """It does not end this conversation."""
        says(web, "/left", CallSid=OTHER_LEG, CallStatus="completed")
        says(web, "/called-back", CallSid=OTHER_LEG, DialCallStatus="completed")
        assert now().status is Status.CONNECTED

    @pytest.mark.usefixtures("together")
    def test_the_person_hangs_up(self, web: TestClient, now: Now) -> None:
        """Nothing is spoken, since nobody listens."""
        assert verbs(says(web, "/left", CallStatus="completed")) == []
        assert now().status is Status.RESOLVED

    def test_they_were_never_together(self, web: TestClient, waiting: EscalationStore, now: Now) -> None:
        """The caller had just hung up: back to waiting, where the desk finds that out."""
        waiting.change(ESCALATION_ID, lambda record: record.caller_joined_conference(NOW))
        assert next_url(says(web, "/left")).startswith(f"/desk/{link()}/wait?turn=")
        assert now().assignee == "maria"


class TestLeavingByTap:
    """The assignee, who waits on the phone, taps when the caller is in the conference or on the way there."""

    @pytest.fixture
    def handed_over(self, waiting: EscalationStore, calls: CallStore) -> EscalationStore:
        """The agent has transferred the caller."""
        calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
        return waiting

    @pytest.mark.parametrize("joined", [True, False])
    @pytest.mark.parametrize("action", ["pass-on", "resolve"])
    def test_the_caller_goes_back(
        self, web: TestClient, handed_over: EscalationStore, twilio: TwilioRest, action: str, joined: bool
    ) -> None:
        """Nobody will join them, so they are returned to the agent."""
        if joined:
            handed_over.change(ESCALATION_ID, lambda record: record.caller_joined_conference(NOW))
        tap(web, link(), action)
        assert twilio.redirected == [(CALL_SID, f"{PUBLIC_URL}/transfer-ended")]

    @pytest.mark.usefixtures("handed_over", "together")
    def test_not_while_they_talk(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """A person who resolves it during the conversation can go on talking."""
        tap(web, link(), "resolve")
        assert now().status is Status.RESOLVED
        assert twilio.redirected == []

    @pytest.mark.usefixtures("waiting")
    @pytest.mark.parametrize("action", ["pass-on", "resolve"])
    def test_a_caller_who_is_with_the_agent(self, web: TestClient, twilio: TwilioRest, action: str) -> None:
        """They stay with the agent."""
        tap(web, link(), action)
        assert twilio.redirected == []
