"""Twilio's reports about calls and conferences: the desk stores each, or answers with an error status."""

import time
from collections.abc import Callable
from typing import NoReturn

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore, StoreUnavailable
from shared.escalations.record import EscalationRecord, Status
from shared.escalations.store import EscalationStore
from shared.on_call.link import LIFE_S, sign
from shared.on_call.store import RosterStore
from tests.escalations import CALL_SID
from tests.functions.desk.conftest import LATER, NOW
from tests.functions.desk.desk_requests import (
    ESCALATION_ID,
    LEG,
    OFFER,
    OTHER_LEG,
    PUBLIC_URL,
    ROSTER,
    SIGNING_KEY,
    altered,
    asks,
    link,
)
from tests.functions.desk.phone.phone_legs import Now
from tests.twilio_rest import TwilioRest

BACK = (CALL_SID, f"{PUBLIC_URL}/transfer-ended")
CALLBACKS = {
    "leg-ended": {"CallStatus": "completed"},
    "answered": {"CallSid": OTHER_LEG, "ParentCallSid": LEG},
}
QUESTIONS = ("offer", "join", "pressed", "wait", "left", "called-back")
CONFERENCE = f"/desk/conference?escalation={ESCALATION_ID}"


@pytest.fixture
def transferred(waiting: EscalationStore, calls: CallStore) -> EscalationStore:
    """Maria waits on her phone, and the agent has transferred the caller."""
    calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
    return waiting


def is_unassigned(record: EscalationRecord) -> bool:
    """Whether the record says that Maria is not the assignee any more."""
    return record.status is Status.ALERTED and record.assignee is None


class TestNothingWasStored:
    """The table, the settings or Twilio failed."""

    @pytest.fixture(params=["TABLE_NAME", "SIGNING_KEY", "TWILIO_ACCOUNT_SID"])
    def misconfigured(
        self, request: pytest.FixtureRequest, environ: pytest.MonkeyPatch, waiting: EscalationStore
    ) -> None:
        """One of the settings is empty, or names a table that does not exist."""
        environ.setenv(request.param, {"TABLE_NAME": "no-table"}.get(request.param, ""))

    @pytest.mark.parametrize("route", CALLBACKS)
    @pytest.mark.usefixtures("misconfigured")
    def test_a_status_callback(self, web: TestClient, now: Now, route: str) -> None:
        """503, so that Twilio's log shows it and Twilio may send it again; nobody would hear an apology."""
        before = now()
        answer = asks(web, f"/desk/{link()}/{route}", **CALLBACKS[route])
        assert (answer.status_code, answer.text) == (503, "")
        assert now() == before

    @pytest.mark.usefixtures("misconfigured")
    def test_the_conference(self, web: TestClient, now: Now) -> None:
        """503 as well."""
        before = now()
        answer = asks(web, CONFERENCE, StatusCallbackEvent="participant-join", CallSid=LEG)
        assert (answer.status_code, answer.text) == (503, "")
        assert now() == before

    @pytest.mark.parametrize("route", QUESTIONS)
    @pytest.mark.usefixtures("misconfigured")
    def test_a_request_for_twiml(self, web: TestClient, route: str) -> None:
        """An apology, since somebody listens."""
        answer = asks(web, f"/desk/{link()}/{route}", Digits="1")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
        assert "something went wrong" in answer.text

    @pytest.mark.usefixtures("waiting")
    def test_the_table_is_too_slow(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """503, since it is not known whether it was stored; a repetition does no harm."""
        environ.setattr("functions.desk.context.ANSWERED_WITHIN_S", 0.0)
        assert asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed").status_code == 503

    @pytest.mark.usefixtures("transferred")
    def test_the_queue_is_away(self, web: TestClient, now: Now, environ: pytest.MonkeyPatch) -> None:
        """204, since the report is stored."""
        environ.setenv("REMINDER_QUEUE_URL", "http://127.0.0.1:9/no-queue")
        assert asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed").status_code == 204
        assert is_unassigned(now())


class TestStored:
    """Even if the person is not on call any more, and however old the link in the URL is."""

    @pytest.fixture(params=["off the roster", "no roster", "an unreadable roster", "an old link"])
    def old(self, request: pytest.FixtureRequest, environ: pytest.MonkeyPatch, roster: RosterStore) -> str:
        """The token in the URL that Twilio was given, after the roster has changed or the link has expired."""
        if request.param == "an old link":
            signed_at = time.time() - LIFE_S - 60
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("itsdangerous.timed.time.time", lambda: signed_at)
                return sign(SecretStr(SIGNING_KEY), ESCALATION_ID, "maria")
        if request.param == "off the roster":
            roster.write(ROSTER.replace("[people.maria]", "[people.mia]").replace('"maria"', '"mia"'))
        else:
            text = None if request.param == "no roster" else "this is no roster"
            environ.setattr(RosterStore, "text", lambda _self: text)
        return link()

    @pytest.mark.usefixtures("transferred")
    def test_she_has_hung_up(self, web: TestClient, old: str, now: Now, twilio: TwilioRest) -> None:
        """It is unassigned, and the caller is returned to the agent."""
        assert asks(web, f"/desk/{old}/leg-ended", CallStatus="completed").status_code == 204
        assert is_unassigned(now())
        assert twilio.redirected == [BACK]

    @pytest.mark.usefixtures("transferred")
    def test_the_caller_has_answered(self, web: TestClient, old: str, now: Now) -> None:
        """They are connected."""
        assert asks(web, f"/desk/{old}/answered", CallSid=OTHER_LEG, ParentCallSid=LEG).status_code == 204
        assert now().status is Status.CONNECTED

    @pytest.mark.usefixtures("transferred")
    def test_the_caller_was_not_reached(self, web: TestClient, old: str, now: Now) -> None:
        """It is on the callback list, and she is told so."""
        answer = asks(web, f"/desk/{old}/called-back", DialCallStatus="busy")
        assert "They are on the callback list" in answer.text
        assert now().status is Status.CALLBACK

    @pytest.mark.usefixtures("together")
    def test_they_have_talked(self, web: TestClient, old: str, now: Now) -> None:
        """It is resolved."""
        assert "The caller has left" in asks(web, f"/desk/{old}/left").text
        assert now().status is Status.RESOLVED

    def test_an_offer_was_not_heard(self, web: TestClient, old: str, now: Now) -> None:
        """Her phone channel has failed."""
        assert asks(web, f"/desk/{old}/leg-ended", CallSid=OFFER, CallStatus="busy").status_code == 204
        assert now().failed_alerts == (OFFER,)


class TestNothingCanBeStored:
    """About an escalation that does not exist, or under a link that is not ours."""

    @pytest.mark.parametrize("route", CALLBACKS)
    def test_now_or_later(self, web: TestClient, now: Now, route: str) -> None:
        """204, since a repetition would not help."""
        before = now()
        for token in (altered(link()), "x", link("maria", "CA" + "9" * 32 + "-1")):
            assert asks(web, f"/desk/{token}/{route}", **CALLBACKS[route]).status_code == 204
        assert now() == before


class TestTheCallerIsReturned:
    """When a person leaves a caller who was transferred, the caller is returned at once, and a check is due."""

    @pytest.mark.parametrize(
        "leaves",
        [
            lambda web: asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed"),
            lambda web: asks(web, f"/desk/{link()}/pressed?purpose=join", Digits="2"),
            lambda web: asks(web, f"/desk/{link()}/wait?turn=18"),
            lambda web: asks(web, f"/desk/{link()}/called-back", DialCallStatus="no-answer"),
        ],
        ids=["hangs up", "presses 2", "waits no longer", "does not reach the caller"],
    )
    @pytest.mark.parametrize("refused", [False, True])
    @pytest.mark.usefixtures("transferred")
    def test_by_phone(
        self,
        web: TestClient,
        now: Now,
        twilio: TwilioRest,
        leaves: Callable[[TestClient], object],
        refused: bool,
    ) -> None:
        """Once, since a second time might interrupt the agent; if Twilio refuses, the escalation policy retries."""
        if refused:
            twilio.refuse[CALL_SID] = 503
        leaves(web)
        assert now().assignee is None
        assert twilio.redirected == ([] if refused else [BACK])
        assert now().caller_alone

    @pytest.mark.usefixtures("transferred")
    def test_twilio_says_that_they_have_gone(self, web: TestClient, twilio: TwilioRest, calls: CallStore) -> None:
        """That the caller has hung up is recorded, and the page offers to call them back."""
        twilio.refuse[CALL_SID] = 400
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert calls.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
        assert "Call the caller back" in web.get(f"/desk/{link()}").text

    @pytest.mark.usefixtures("transferred")
    def test_it_is_not_known_where_they_are(
        self, web: TestClient, now: Now, environ: pytest.MonkeyPatch, twilio: TwilioRest
    ) -> None:
        """Reading the call fails: the report is stored, and the escalation policy returns the caller later."""

        def is_away(*_: object) -> NoReturn:
            raise StoreUnavailable("reading how a call ended")

        environ.setattr(CallStore, "recorded_end", is_away)
        assert asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed").status_code == 204
        assert (now().caller_alone, twilio.redirected) == (True, [])

    @pytest.mark.parametrize("turn", [0, 1])
    def test_the_next_person_finds_them(self, web: TestClient, transferred: EscalationStore, turn: int) -> None:
        """Ben accepts while the caller still hears hold music: he joins the conference at once."""
        for event in (
            lambda record: record.unassigned(NOW, "gone", "maria"),
            lambda record: record.accepted("ben", NOW, LATER),
            lambda record: record.ready_on(OTHER_LEG, "ben", NOW, LATER),
        ):
            transferred.change(ESCALATION_ID, event)
        answer = asks(web, f"/desk/{link('ben')}/wait?turn={turn}", CallSid=OTHER_LEG)
        assert "<Conference" in answer.text

    @pytest.mark.usefixtures("transferred", "together")
    def test_not_after_a_conversation(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """The end of the conference returns the caller; the escalation policy checks that later."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert (now().status, now().caller_alone, now().talking_on) == (Status.RESOLVED, True, LEG)
        assert twilio.redirected == []
