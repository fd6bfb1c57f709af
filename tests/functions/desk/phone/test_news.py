"""What Twilio tells the desk about calls and conferences counts: it is stored, or Twilio hears that it was not."""

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
TOLD = {
    "leg-ended": {"CallStatus": "completed"},
    "answered": {"CallSid": OTHER_LEG, "ParentCallSid": LEG},
}
ASKED = ("offer", "join", "pressed", "wait", "left", "called-back")
CONFERENCE = f"/desk/conference?escalation={ESCALATION_ID}"


@pytest.fixture
def transferred(waiting: EscalationStore, calls: CallStore) -> EscalationStore:
    """Maria waits on her phone, and the agent has let go of the caller."""
    calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
    return waiting


def is_free(record: EscalationRecord) -> bool:
    """Whether it is known that Maria has hung up."""
    return record.status is Status.ALERTED and record.assignee is None


class TestNothingWasStored:
    """The table, the settings or Twilio failed."""

    @pytest.fixture(params=["TABLE_NAME", "SIGNING_KEY", "TWILIO_ACCOUNT_SID"])
    def broken(self, request: pytest.FixtureRequest, environ: pytest.MonkeyPatch, waiting: EscalationStore) -> None:
        """One of the settings is wrong, or leads to no table."""
        environ.setenv(request.param, {"TABLE_NAME": "no-table"}.get(request.param, ""))

    @pytest.mark.parametrize("route", TOLD)
    @pytest.mark.usefixtures("broken")
    def test_what_twilio_tells(self, web: TestClient, now: Now, route: str) -> None:
        """Is answered 503, so that Twilio's log shows it and it may be told again; nobody would hear an apology."""
        before = now()
        answer = asks(web, f"/desk/{link()}/{route}", **TOLD[route])
        assert (answer.status_code, answer.text) == (503, "")
        assert now() == before

    @pytest.mark.usefixtures("broken")
    def test_the_conference(self, web: TestClient, now: Now) -> None:
        """Likewise."""
        before = now()
        answer = asks(web, CONFERENCE, StatusCallbackEvent="participant-join", CallSid=LEG)
        assert (answer.status_code, answer.text) == (503, "")
        assert now() == before

    @pytest.mark.parametrize("route", ASKED)
    @pytest.mark.usefixtures("broken")
    def test_what_twilio_asks(self, web: TestClient, route: str) -> None:
        """Is answered with an apology: somebody listens."""
        answer = asks(web, f"/desk/{link()}/{route}", Digits="1")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
        assert "something went wrong" in answer.text

    @pytest.mark.usefixtures("waiting")
    def test_the_table_is_too_slow(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """Nobody knows whether it was stored; told again, it is the same."""
        environ.setattr("functions.desk.context.ANSWERED_WITHIN_S", 0.0)
        assert asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed").status_code == 503

    @pytest.mark.usefixtures("transferred")
    def test_the_queue_is_away(self, web: TestClient, now: Now, environ: pytest.MonkeyPatch) -> None:
        """What is told is stored all the same, and that counts."""
        environ.setenv("REMINDER_QUEUE_URL", "http://127.0.0.1:9/no-queue")
        assert asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed").status_code == 204
        assert is_free(now())


class TestItCounts:
    """Whoever the person is by now, and however old the link in the URL."""

    @pytest.fixture(params=["off the roster", "no roster", "an unreadable roster", "an old link"])
    def old(self, request: pytest.FixtureRequest, environ: pytest.MonkeyPatch, roster: RosterStore) -> str:
        """Gives the token in the URL that Twilio was given, after something has changed."""
        if request.param == "an old link":
            minted_at = time.time() - LIFE_S - 60
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("itsdangerous.timed.time.time", lambda: minted_at)
                return sign(SecretStr(SIGNING_KEY), ESCALATION_ID, "maria")
        if request.param == "off the roster":
            roster.write(ROSTER.replace("[people.maria]", "[people.mia]").replace('"maria"', '"mia"'))
        else:
            text = None if request.param == "no roster" else "this is no roster"
            environ.setattr(RosterStore, "text", lambda _self: text)
        return link()

    @pytest.mark.usefixtures("transferred")
    def test_she_has_hung_up(self, web: TestClient, old: str, now: Now, twilio: TwilioRest) -> None:
        """It is free again, and the caller goes back."""
        assert asks(web, f"/desk/{old}/leg-ended", CallStatus="completed").status_code == 204
        assert is_free(now())
        assert twilio.redirected == [BACK]

    @pytest.mark.usefixtures("transferred")
    def test_the_caller_has_answered(self, web: TestClient, old: str, now: Now) -> None:
        """They are connected."""
        assert asks(web, f"/desk/{old}/answered", CallSid=OTHER_LEG, ParentCallSid=LEG).status_code == 204
        assert now().status is Status.CONNECTED

    @pytest.mark.usefixtures("transferred")
    def test_the_caller_was_not_reached(self, web: TestClient, old: str, now: Now) -> None:
        """It is on the list, and she hears so."""
        answer = asks(web, f"/desk/{old}/called-back", DialCallStatus="busy")
        assert "They are on the callback list" in answer.text
        assert now().status is Status.CALLBACK

    @pytest.mark.usefixtures("together")
    def test_they_have_talked(self, web: TestClient, old: str, now: Now) -> None:
        """It is dealt with."""
        assert "The caller has left" in asks(web, f"/desk/{old}/left").text
        assert now().status is Status.RESOLVED

    def test_an_offer_was_not_heard(self, web: TestClient, old: str, now: Now) -> None:
        """Her phone is out."""
        assert asks(web, f"/desk/{old}/leg-ended", CallSid=OFFER, CallStatus="busy").status_code == 204
        assert now().failed_alerts == (OFFER,)


class TestNothingCanBeStored:
    """About an escalation that is not kept, or under a link that is none of ours."""

    @pytest.mark.parametrize("route", TOLD)
    def test_now_or_later(self, web: TestClient, now: Now, route: str) -> None:
        """204: it would not help to tell it again."""
        before = now()
        for token in (altered(link()), "x", link("maria", "CA" + "9" * 32 + "-1")):
            assert asks(web, f"/desk/{token}/{route}", **TOLD[route]).status_code == 204
        assert now() == before


class TestTheCallerIsFetchedBack:
    """Whoever lets go of a caller who was transferred brings them back at once, and the ladder hears of it."""

    @pytest.mark.parametrize(
        "leaves",
        [
            lambda web: asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed"),
            lambda web: asks(web, f"/desk/{link()}/pressed?purpose=join", Digits="2"),
            lambda web: asks(web, f"/desk/{link()}/wait?turn=18"),
            lambda web: asks(web, f"/desk/{link()}/called-back", DialCallStatus="no-answer"),
        ],
        ids=["hangs up", "presses 2", "waits no longer", "calls in vain"],
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
        """Once, since a second time might cut off the agent; what Twilio refuses is left to the ladder."""
        if refused:
            twilio.refuse[CALL_SID] = 503
        leaves(web)
        assert now().assignee is None
        assert twilio.redirected == ([] if refused else [BACK])
        assert now().caller_alone

    @pytest.mark.usefixtures("transferred")
    def test_twilio_says_that_they_have_gone(self, web: TestClient, twilio: TwilioRest, calls: CallStore) -> None:
        """That is recorded, and the page offers to call them back."""
        twilio.refuse[CALL_SID] = 400
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert calls.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
        assert "Call the caller back" in web.get(f"/desk/{link()}").text

    @pytest.mark.usefixtures("transferred")
    def test_nobody_knows_where_they_are(
        self, web: TestClient, now: Now, environ: pytest.MonkeyPatch, twilio: TwilioRest
    ) -> None:
        """The table goes away in that moment: what was told is stored, and the ladder does the rest."""

        def is_away(*_: object) -> NoReturn:
            raise StoreUnavailable("reading how a call ended")

        environ.setattr(CallStore, "recorded_end", is_away)
        assert asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed").status_code == 204
        assert (now().caller_alone, twilio.redirected) == (True, [])

    @pytest.mark.parametrize("turn", [0, 1])
    def test_the_next_person_finds_them(self, web: TestClient, transferred: EscalationStore, turn: int) -> None:
        """Ben takes it while the caller still hears the music: he goes there at once."""
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
        """The end of the conference brings the caller back; the ladder makes sure of it later."""
        asks(web, f"/desk/{link()}/leg-ended", CallStatus="completed")
        assert (now().status, now().caller_alone, now().talking_on) == (Status.RESOLVED, True, LEG)
        assert twilio.redirected == []
