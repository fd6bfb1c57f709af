"""A person's phone from the ring to the key: who may ask, what is announced, and what a key does."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.escalations.record import Status
from shared.escalations.store import EscalationStore
from shared.on_call.store import RosterStore
from tests.escalations import CALL_SID
from tests.functions.desk.desk_requests import (
    ESCALATION_ID,
    LEG,
    OTHER_LEG,
    PUBLIC_URL,
    ROSTER,
    altered,
    asks,
    link,
    signed,
    tap,
)
from tests.functions.desk.phone.phone_legs import Now, attributes, next_url, says, spoken, verbs

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)


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
        for part in (
            "Normal urgency.",
            "1 5 5 5 1 2 3 4 5 6 7 is on the line.",
            "The caller says: Refund.",
            "Charged twice",
        ):
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
        alerted.change(ESCALATION_ID, lambda record: record.resolved("maria", NOW, "", name="Maria Lopez"))
        assert "Maria Lopez has dealt with it already." in spoken(says(web, "/offer", "ben"))


class TestPressed:
    """A key."""

    def test_one_takes_an_offer(self, web: TestClient, now: Now) -> None:
        """For this very leg; asked again, it is the same."""
        for _ in range(2):
            twiml = says(web, "/pressed?purpose=offer", "ben", Digits="1")
            assert next_url(twiml) == f"/desk/{link('ben')}/wait?turn=0"
        assert (now().assignee, now().person_name, now().leg, now().ready) == ("ben", "Ben Okafor", LEG, True)
        assert len([step for step in now().history if step.status is Status.ACCEPTED]) == 2  # taken, and on the phone

    def test_one_after_a_tap(self, web: TestClient, now: Now) -> None:
        """Makes ready what was taken."""
        tap(web, link(), "take")
        says(web, "/pressed?purpose=join", Digits="1")
        assert (now().assignee, now().leg, now().ready) == ("maria", LEG, True)

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
        assert (now().declined_by, now().assignee) == (("ben",), None)

    @pytest.mark.usefixtures("waiting")
    def test_two_on_another_phone(self, web: TestClient, now: Now) -> None:
        """Who waits for the caller already gets rid of the second call by it, and not of the caller."""
        twiml = says(web, "/pressed?purpose=offer", CallSid=OTHER_LEG, Digits="2")
        assert "on another phone already" in spoken(twiml)
        assert (now().leg, now().ready) == (LEG, True)

    @pytest.mark.parametrize("digit", ["", "3", "#"])
    def test_another_key(self, web: TestClient, now: Now, digit: str) -> None:
        """Says it all again."""
        assert next_url(says(web, "/pressed?purpose=offer", Digits=digit)) == f"/desk/{link()}/offer"
        assert next_url(says(web, "/pressed?purpose=join", Digits=digit)) == f"/desk/{link()}/join"
        assert now().assignee is None
