"""A person's phone, as Twilio tells and asks about it, with every answer that may get lost asked for twice."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient

from functions.desk.legs import LAST_TURN
from shared.call_store import CallEnd, CallStore
from shared.escalation_life import Life, Status
from shared.escalation_store import EscalationStore
from shared.roster_store import RosterStore
from shared.telephony import Telephony
from tests.escalations import CALL_SID, CALLED, CALLER, escalation
from tests.functions.desk.desk_requests import (
    ESCALATION_ID,
    LEG,
    OTHER_LEG,
    OUR_NUMBER,
    PUBLIC_URL,
    ROSTER,
    altered,
    asks,
    link,
    signed,
    tap,
)
from tests.twilio_rest import TwilioRest

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)

Now = Callable[[], Life]


@pytest.fixture
def now(alerted: EscalationStore) -> Now:
    """The escalation's life as it is."""

    def life() -> Life:
        there = alerted.get(ESCALATION_ID)
        assert there is not None
        return there

    return life


@pytest.fixture
def waiting(alerted: EscalationStore) -> EscalationStore:
    """Maria has taken it, has pressed 1, and waits for the caller."""
    alerted.change(
        ESCALATION_ID,
        lambda life: life.accepted("maria", NOW, LATER, name="Maria Lopez").ready_on(LEG, "maria", NOW, LATER),
    )
    return alerted


@pytest.fixture
def together(waiting: EscalationStore) -> EscalationStore:
    """Maria and the caller are in the conference."""
    waiting.change(ESCALATION_ID, lambda life: life.caller_joined_conference(NOW).connected(NOW, LATER))
    return waiting


def says(web: TestClient, under: str, person: str = "maria", **fields: str) -> ET.Element:
    """The TwiML for a request of Twilio's under somebody's link."""
    answer = asks(web, f"/desk/{link(person)}{under}", **fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    root = ET.fromstring(answer.text)  # noqa: S314 # our own XML
    assert root.tag == "Response"
    return root


def spoken(twiml: ET.Element) -> str:
    """Everything that is said."""
    return " ".join(say.text or "" for say in twiml.iter("Say"))


def verbs(twiml: ET.Element) -> list[str]:
    """The verbs in order."""
    return [verb.tag for verb in twiml]


def attributes(twiml: ET.Element, path: str) -> dict[str, str]:
    """The attributes of one element, and its text as `text`."""
    found = twiml.find(path)
    assert found is not None, ET.tostring(twiml)
    return {**found.attrib, "text": found.text or ""}


def next_url(twiml: ET.Element) -> str:
    """Where Twilio is sent on to, below PUBLIC_URL."""
    return attributes(twiml, "Redirect")["text"].removeprefix(PUBLIC_URL)


ROUTES = ("offer", "join", "pressed", "wait", "left", "called-back", "answered", "leg-ended")


class TestSignatures:
    """All of it is for Twilio only."""

    @pytest.mark.parametrize("route", ROUTES)
    def test_unsigned(self, web: TestClient, now: Now, route: str) -> None:
        """403 without a signature and with one of other fields, and nothing happens."""
        before = now()
        path = f"/desk/{link()}/{route}"
        form = {"CallSid": LEG, "Digits": "1", "CallStatus": "completed"}
        assert web.post(path, data=form).status_code == 403
        assert web.post(path, data=form, headers=signed(path, {**form, "Digits": "2"})).status_code == 403
        assert now() == before

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_link_that_leads_nowhere(self, web: TestClient, route: str) -> None:
        """Whoever picked up hears a sentence; the rest is taken in without one."""
        answer = asks(web, f"/desk/{altered(link())}/{route}", CallStatus="completed")
        assert answer.status_code in (200, 204)
        if answer.status_code == 200:
            assert "This link does not work. Goodbye." in answer.text

    @pytest.mark.parametrize("route", ["offer", "wait", "left"])
    def test_no_table(self, web: TestClient, environ: pytest.MonkeyPatch, route: str) -> None:
        """An apology and not a dead line."""
        environ.setenv("TABLE_NAME", "no-table")
        twiml = says(web, f"/{route}")
        assert "something went wrong on our side" in spoken(twiml)
        assert verbs(twiml) == ["Say", "Hangup"]


class TestAnnouncement:
    """What is heard on picking up."""

    @pytest.mark.usefixtures("alerted")
    def test_an_offer(self, web: TestClient) -> None:
        """Who, why, how urgent and which keys, twice; and a mailbox is left without anything taken."""
        twiml = says(web, "/offer", "ben")
        assert verbs(twiml) == ["Gather", "Gather", "Say", "Hangup"]
        gather = attributes(twiml, "Gather")
        assert gather["numDigits"] == "1"
        assert gather["action"] == f"{PUBLIC_URL}/desk/{link('ben')}/pressed?purpose=offer"
        words = spoken(twiml)
        for part in ("Normal urgency.", "1 5 5 5 1 2 3 4 5 6 7 is on the line.", "Refund.", "Charged twice"):
            assert words.count(part) == 2
        assert "Press 1 to take it. Press 2 to pass it on." in words

    def test_cold(self, web: TestClient, alerted: EscalationStore, roster: RosterStore) -> None:
        """After a tap the person knows why, so only the keys are told; an offer still has the reason."""
        roster.write(ROSTER.replace("warm", "cold"))
        assert "Refund" not in spoken(says(web, "/join"))
        words = spoken(says(web, "/offer", "ben"))
        assert "Refund." in words
        assert "Charged twice" not in words

    def test_a_caller_who_has_gone(self, web: TestClient, alerted: EscalationStore, calls: CallStore) -> None:
        """Is to be called back."""
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        assert "waits to be called back" in spoken(says(web, "/join"))

    @pytest.mark.usefixtures("waiting")
    def test_what_somebody_has(self, web: TestClient) -> None:
        """The other one hears who, and is let go."""
        twiml = says(web, "/offer", "ben")
        assert spoken(twiml) == "Maria Lopez has taken it. Thank you. Goodbye."
        assert verbs(twiml) == ["Say", "Hangup"]

    def test_what_is_done(self, web: TestClient, alerted: EscalationStore) -> None:
        """Likewise."""
        alerted.change(ESCALATION_ID, lambda life: life.resolved("maria", NOW, "", name="Maria Lopez"))
        assert "Maria Lopez has dealt with it already." in spoken(says(web, "/offer", "ben"))


class TestPressed:
    """A key."""

    def test_one_takes_an_offer(self, web: TestClient, now: Now) -> None:
        """For this very leg; asked again, it is the same."""
        for _ in range(2):
            twiml = says(web, "/pressed?purpose=offer", "ben", Digits="1")
            assert next_url(twiml) == f"/desk/{link('ben')}/wait?turn=0"
        assert (now().holder, now().person_name, now().leg, now().ready) == ("ben", "Ben Okafor", LEG, True)
        assert len([step for step in now().steps if step.status is Status.ACCEPTED]) == 2  # taken, and on the phone

    def test_one_after_a_tap(self, web: TestClient, now: Now) -> None:
        """Makes ready what was taken."""
        tap(web, link(), "take")
        says(web, "/pressed?purpose=join", Digits="1")
        assert (now().holder, now().leg, now().ready) == ("maria", LEG, True)

    @pytest.mark.usefixtures("waiting")
    def test_too_late(self, web: TestClient, now: Now) -> None:
        """Two press 1, and the second hears who was first."""
        twiml = says(web, "/pressed?purpose=offer", "ben", CallSid=OTHER_LEG, Digits="1")
        assert spoken(twiml) == "Maria Lopez has taken it. Thank you. Goodbye."
        assert now().leg == LEG

    @pytest.mark.usefixtures("waiting")
    def test_on_another_phone(self, web: TestClient, now: Now) -> None:
        """The same person twice: the first leg stays."""
        twiml = says(web, "/pressed?purpose=join", CallSid=OTHER_LEG, Digits="1")
        assert "on another phone already" in spoken(twiml)
        assert now().leg == LEG

    def test_two_passes_it_on(self, web: TestClient, now: Now) -> None:
        """And asks nothing more; again, it is the same."""
        for _ in range(2):
            twiml = says(web, "/pressed?purpose=offer", "ben", Digits="2")
            assert verbs(twiml) == ["Say", "Hangup"]
        assert (now().passed, now().holder) == (("ben",), None)

    @pytest.mark.parametrize("digit", ["", "3", "#"])
    def test_another_key(self, web: TestClient, now: Now, digit: str) -> None:
        """Says it all again."""
        assert next_url(says(web, "/pressed?purpose=offer", Digits=digit)) == f"/desk/{link()}/offer"
        assert next_url(says(web, "/pressed?purpose=join", Digits=digit)) == f"/desk/{link()}/join"
        assert now().holder is None


class TestWait:
    """Between the key and the caller."""

    @pytest.mark.usefixtures("waiting")
    def test_turn_by_turn(self, web: TestClient) -> None:
        """A word each few seconds."""
        twiml = says(web, "/wait?turn=0")
        assert verbs(twiml) == ["Say", "Pause", "Redirect"]
        assert attributes(twiml, "Pause")["length"] == "1"
        assert next_url(twiml) == f"/desk/{link()}/wait?turn=1"

    def test_the_caller_is_there(self, web: TestClient, waiting: EscalationStore) -> None:
        """The person goes where the caller is; who leaves first ends it for both."""
        waiting.change(ESCALATION_ID, lambda life: life.caller_joined_conference(NOW))
        twiml = says(web, "/wait?turn=1")
        assert attributes(twiml, "Dial")["action"] == f"{PUBLIC_URL}/desk/{link()}/left"
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
        """They are called back by the same leg."""
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        twiml = says(web, "/wait?turn=1")
        assert spoken(twiml) == "The caller has hung up. Calling them back."
        dial = attributes(twiml, "Dial")
        assert (dial["callerId"], dial["answerOnBridge"]) == (OUR_NUMBER, "true")
        assert dial["action"] == f"{PUBLIC_URL}/desk/{link()}/called-back"
        number = attributes(twiml, "Dial/Number")
        assert (number["text"], number["statusCallbackEvent"]) == (CALLER, "answered")

    @pytest.mark.usefixtures("waiting")
    @pytest.mark.parametrize("status", ["completed", None])
    def test_a_call_that_only_twilio_knows_is_over(
        self, web: TestClient, twilio: TwilioRest, calls: CallStore, status: str | None
    ) -> None:
        """Nobody could write it down; from the third turn on Twilio is asked, and it is written down."""
        twilio.call_statuses = {CALL_SID: status} if status else {}
        assert verbs(says(web, "/wait?turn=1")) == ["Say", "Pause", "Redirect"]
        assert "Calling them back" in spoken(says(web, "/wait?turn=2"))
        assert calls.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP

    @pytest.mark.usefixtures("waiting")
    def test_twilio_does_not_say(self, web: TestClient, twilio: TwilioRest) -> None:
        """The person waits on, and not in a silence of many seconds."""
        twilio.refuse[CALL_SID] = 503
        assert verbs(says(web, "/wait?turn=2")) == ["Say", "Pause", "Redirect"]
        del twilio.refuse[CALL_SID]
        twilio.hang.set()
        assert verbs(says(web, "/wait?turn=2")) == ["Say", "Pause", "Redirect"]

    @pytest.mark.usefixtures("waiting")
    def test_twilio_is_not_waited_for(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """The answer comes while the question to Twilio is still under way."""
        answered = threading.Event()
        environ.setattr("functions.desk.legs.STATUS_WITHIN_S", 0.05)
        environ.setattr(Telephony, "status_of", lambda _self, _sid: answered.wait(30))
        assert verbs(says(web, "/wait?turn=2")) == ["Say", "Pause", "Redirect"]
        answered.set()

    @pytest.mark.usefixtures("waiting")
    def test_the_news_of_the_caller_got_lost(self, web: TestClient, calls: CallStore) -> None:
        """The agent has let go of them, and they are in the conference, though nobody was told."""
        calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
        assert verbs(says(web, "/wait?turn=1")) == ["Say", "Pause", "Redirect"]
        assert verbs(says(web, "/wait?turn=2")) == ["Dial"]

    @pytest.mark.usefixtures("waiting")
    def test_the_caller_does_not_come(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """At the end it is free again, and others are asked."""
        twiml = says(web, f"/wait?turn={LAST_TURN}")
        assert verbs(twiml) == ["Say", "Hangup"]
        assert (now().status, now().holder) == (Status.ALERTED, None)
        assert now().due is not None
        assert twilio.redirected == []
        assert "not yours any more" in spoken(says(web, f"/wait?turn={LAST_TURN}"))

    @pytest.mark.usefixtures("waiting")
    def test_another_leg_is_not_let_in(self, web: TestClient) -> None:
        """Nor another person."""
        assert verbs(says(web, "/wait?turn=0", CallSid=OTHER_LEG)) == ["Say", "Hangup"]
        assert "Maria Lopez has taken it" in spoken(says(web, "/wait?turn=0", "ben"))


class TestLeft:
    """After the conference."""

    @pytest.mark.usefixtures("together")
    def test_the_caller_hangs_up(self, web: TestClient, now: Now) -> None:
        """A goodbye; and it is dealt with, also when Twilio asks again."""
        for _ in range(2):
            assert spoken(says(web, "/left")) == "The caller has left. Thank you. Goodbye."
        assert (now().status, now().person) == (Status.RESOLVED, "maria")
        assert re.fullmatch(r"talked \d+ s", now().steps[-1].detail)

    @pytest.mark.usefixtures("together")
    def test_another_leg(self, web: TestClient, now: Now) -> None:
        """Says nothing about this conversation."""
        says(web, "/left", CallSid=OTHER_LEG, CallStatus="completed")
        says(web, "/called-back", CallSid=OTHER_LEG, DialCallStatus="completed")
        assert now().status is Status.CONNECTED

    @pytest.mark.usefixtures("together")
    def test_the_person_hangs_up(self, web: TestClient, now: Now) -> None:
        """There is nobody to say anything to."""
        assert verbs(says(web, "/left", CallStatus="completed")) == []
        assert now().status is Status.RESOLVED

    def test_they_were_never_together(self, web: TestClient, waiting: EscalationStore, now: Now) -> None:
        """The caller hung up in the moment before: back to waiting, which finds that out."""
        waiting.change(ESCALATION_ID, lambda life: life.caller_joined_conference(NOW))
        assert next_url(says(web, "/left")).startswith(f"/desk/{link()}/wait?turn=")
        assert now().holder == "maria"


class TestCallBack:
    """The person is on the line, and the caller is rung."""

    @pytest.fixture
    def calling(self, waiting: EscalationStore, calls: CallStore) -> EscalationStore:
        """Maria waits for the caller's phone to be answered."""
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        return waiting

    @pytest.mark.usefixtures("calling")
    def test_reached(self, web: TestClient, now: Now) -> None:
        """Connected when they answer, dealt with when they have talked; each may be told twice."""
        for _ in range(2):
            asks(web, f"/desk/{link()}/answered", CallSid=OTHER_LEG, ParentCallSid=LEG)
        assert now().status is Status.CONNECTED
        for _ in range(2):
            says(web, "/called-back", DialCallStatus="completed", DialCallDuration="73")
        assert now().status is Status.RESOLVED

    @pytest.mark.usefixtures("calling")
    def test_reached_without_a_word_of_it(self, web: TestClient, now: Now) -> None:
        """The news that they answered got lost."""
        says(web, "/called-back", DialCallStatus="completed")
        assert now().status is Status.RESOLVED

    @pytest.mark.usefixtures("calling")
    @pytest.mark.parametrize("status", ["no-answer", "busy", "failed", "canceled"])
    def test_not_reached(self, web: TestClient, now: Now, status: str) -> None:
        """It is on the list, and the person hears so."""
        for _ in range(2):
            assert "could not be reached" in spoken(says(web, "/called-back", DialCallStatus=status))
        assert (now().status, now().holder) == (Status.CALLBACK, None)

    @pytest.mark.usefixtures("calling")
    def test_late_news_do_not_take_it_from_somebody_else(
        self, web: TestClient, now: Now, alerted: EscalationStore
    ) -> None:
        """Ben has it by then."""
        alerted.change(ESCALATION_ID, lambda life: life.released(NOW, "gone", "maria").accepted("ben", NOW, LATER))
        says(web, "/called-back", DialCallStatus="no-answer")
        asks(web, f"/desk/{link()}/answered", CallSid=OTHER_LEG, ParentCallSid=LEG)
        assert (now().status, now().holder) == (Status.ACCEPTED, "ben")

    def test_the_number_that_they_asked_for(
        self, web: TestClient, lives: EscalationStore, waiting: EscalationStore, calls: CallStore
    ) -> None:
        """Goes before the one that they called from."""
        lives.record(escalation(revision=2, callback_number="+4930123456"), NOW)
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        assert attributes(says(web, "/wait?turn=0"), "Dial/Number")["text"] == "+4930123456"

    def test_no_number(
        self, web: TestClient, lives: EscalationStore, waiting: EscalationStore, now: Now, calls: CallStore
    ) -> None:
        """Nobody to call: it is said, and on the list for somebody to close."""
        lives.record(escalation(revision=2, caller="anonymous"), NOW)
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        assert "left no number" in spoken(says(web, "/wait?turn=0"))
        assert now().status is Status.CALLBACK

    @pytest.mark.usefixtures("calling")
    def test_caller_id_without_a_number_of_its_own(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """What they had called."""
        environ.setenv("ALERT_FROM", "MG" + "0" * 32)
        assert attributes(says(web, "/wait?turn=0"), "Dial")["callerId"] == CALLED


class TestEnded:
    """A call to a person is over."""

    def test_nobody_picks_up_an_offer(self, web: TestClient, now: Now) -> None:
        """As good as passed on; told twice, it is the same."""
        for _ in range(2):
            asks(web, f"/desk/{link('ben')}/leg-ended", CallStatus="no-answer")
        assert now().passed == ("ben",)

    def test_nobody_picks_up_after_a_tap(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """It is free again, and the page says why."""
        tap(web, link(), "take")
        callback = twilio.calls[0]["StatusCallback"].removeprefix(PUBLIC_URL)
        asks(web, callback, CallStatus="no-answer")
        assert (now().status, now().holder) == (Status.ALERTED, None)
        assert "That did not work: nobody picked up and pressed 1" in web.get(f"/desk/{link()}").text

    def test_the_end_of_an_earlier_try(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """Comes late, and does not end the one that is ringing now."""
        tap(web, link(), "take")
        tap(web, link(), "pass-on")
        tap(web, link(), "take")
        first, second = (call["StatusCallback"].removeprefix(PUBLIC_URL) for call in twilio.calls)
        asks(web, first, CallStatus="no-answer")
        assert now().holder == "maria"
        asks(web, second, CallSid=OTHER_LEG, CallStatus="no-answer")
        assert now().holder is None

    def test_an_offer_that_ends_after_a_tap(self, web: TestClient, now: Now) -> None:
        """The same person took it by link, and let the other phone ring."""
        tap(web, link(), "take")
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="no-answer")
        assert now().holder == "maria"

    @pytest.mark.usefixtures("waiting")
    def test_the_person_hangs_up_while_waiting(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """Others are asked, and the caller, still with the agent, notices nothing."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert (now().status, now().holder, now().leg) == (Status.ALERTED, None, None)
        assert twilio.redirected == []

    @pytest.mark.parametrize("refused", [False, True])
    def test_the_person_hangs_up_in_the_last_moment(
        self, web: TestClient, waiting: EscalationStore, now: Now, calls: CallStore, twilio: TwilioRest, refused: bool
    ) -> None:
        """The caller is in the conference already, and goes back to the agent; or, should Twilio refuse, stays."""
        calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
        waiting.change(ESCALATION_ID, lambda life: life.caller_joined_conference(NOW))
        if refused:
            twilio.refuse[CALL_SID] = 503
        answer = asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert answer.status_code == 204
        assert now().holder is None
        assert twilio.redirected == ([] if refused else [(CALL_SID, f"{PUBLIC_URL}/transfer-ended")])

    @pytest.mark.usefixtures("together")
    def test_the_person_hangs_up_while_talking(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """It is dealt with; the conference's own end brings the caller back."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed", CallSid=OTHER_LEG)
        assert now().status is Status.CONNECTED
        for _ in range(2):
            asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert now().status is Status.RESOLVED
        assert twilio.redirected == []

    @pytest.mark.usefixtures("waiting")
    def test_a_call_that_is_not_over(self, web: TestClient, now: Now) -> None:
        """News of another kind change nothing."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="in-progress")
        assert now().ready
