"""A person's phone leg from the ring to the key: signatures, the announcement, and what each key does."""

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
    """Only Twilio may request these routes."""

    @pytest.mark.parametrize("route", ROUTES)
    def test_unsigned(self, web: TestClient, now: Now, route: str) -> None:
        """403 without a signature or with one for other fields, and nothing happens."""
        before = now()
        path = f"/desk/{link()}/{route}"
        form = {"CallSid": LEG, "Digits": "1", "CallStatus": "completed"}
        assert web.post(path, data=form).status_code == 403
        assert web.post(path, data=form, headers=signed(path, {**form, "Digits": "2"})).status_code == 403
        assert now() == before

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_link_that_is_not_valid(self, web: TestClient, route: str) -> None:
        """A person who picked up hears a sentence; status callbacks are answered 204."""
        answer = asks(web, f"/desk/{altered(link())}/{route}", CallStatus="completed")
        assert answer.status_code in (200, 204)
        if answer.status_code == 200:
            assert "This link does not work. Goodbye." in answer.text

    @pytest.mark.parametrize("route", ["offer", "wait", "left"])
    def test_no_table(self, web: TestClient, environ: pytest.MonkeyPatch, route: str) -> None:
        """An apology, not silence."""
        environ.setenv("TABLE_NAME", "no-table")
        twiml = says(web, f"/{route}")
        assert "something went wrong on our side" in spoken(twiml)
        assert verbs(twiml) == ["Say", "Hangup"]


class TestAnnouncement:
    """What a person hears when they pick up."""

    @pytest.mark.usefixtures("alerted")
    def test_an_offer(self, web: TestClient) -> None:
        """Who, why, how urgent and which keys, twice; without a key the call ends and nothing is accepted."""
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
        """After a tap the person knows the reason, so only the keys are spoken; an offer still has the reason."""
        roster.write(ROSTER.replace("warm", "cold"))
        assert "Refund" not in spoken(says(web, "/join"))
        words = spoken(says(web, "/offer", "ben"))
        assert "Refund." in words
        assert "Charged twice" not in words

    def test_a_caller_who_has_gone(self, web: TestClient, alerted: EscalationStore, calls: CallStore) -> None:
        """The announcement says that they wait to be called back."""
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        assert "waits to be called back" in spoken(says(web, "/join"))

    @pytest.mark.usefixtures("waiting")
    def test_what_somebody_has(self, web: TestClient) -> None:
        """Another person hears who the assignee is, and the call ends."""
        twiml = says(web, "/offer", "ben")
        assert spoken(twiml) == "Maria Lopez has taken it. Thank you. Goodbye."
        assert verbs(twiml) == ["Say", "Hangup"]

    def test_what_is_done(self, web: TestClient, alerted: EscalationStore) -> None:
        """A person hears who resolved it, and the call ends."""
        alerted.change(ESCALATION_ID, lambda record: record.resolved("maria", NOW, "", name="Maria Lopez"))
        assert "Maria Lopez has dealt with it already." in spoken(says(web, "/offer", "ben"))


class TestPressed:
    """A key."""

    def test_one_takes_an_offer(self, web: TestClient, now: Now) -> None:
        """On this leg; a repeated request changes nothing."""
        for _ in range(2):
            twiml = says(web, "/pressed?purpose=offer", "ben", Digits="1")
            assert next_url(twiml) == f"/desk/{link('ben')}/wait?turn=0"
        assert (now().assignee, now().person_name, now().leg, now().ready) == ("ben", "Ben Okafor", LEG, True)
        assert (
            len([entry for entry in now().history if entry.status is Status.ACCEPTED]) == 2
        )  # taken, and on the phone

    def test_one_after_a_tap(self, web: TestClient, now: Now) -> None:
        """The person who accepted is now ready for the caller."""
        tap(web, link(), "take")
        says(web, "/pressed?purpose=join", Digits="1")
        assert (now().assignee, now().leg, now().ready) == ("maria", LEG, True)

    @pytest.mark.usefixtures("waiting")
    def test_too_late(self, web: TestClient, now: Now) -> None:
        """Two people press 1, and the second hears who was first."""
        twiml = says(web, "/pressed?purpose=offer", "ben", CallSid=OTHER_LEG, Digits="1")
        assert spoken(twiml) == "Maria Lopez has taken it. Thank you. Goodbye."
        assert now().leg == LEG

    @pytest.mark.usefixtures("waiting")
    def test_on_another_phone(self, web: TestClient, now: Now) -> None:
        """The same person presses 1 on two phones: the first leg counts."""
        twiml = says(web, "/pressed?purpose=join", CallSid=OTHER_LEG, Digits="1")
        assert "on another phone already" in spoken(twiml)
        assert now().leg == LEG

    def test_two_declines(self, web: TestClient, now: Now) -> None:
        """The call ends; a repeated request changes nothing."""
        for _ in range(2):
            twiml = says(web, "/pressed?purpose=offer", "ben", Digits="2")
            assert verbs(twiml) == ["Say", "Hangup"]
        assert (now().declined_by, now().assignee) == (("ben",), None)

    @pytest.mark.usefixtures("waiting")
    def test_two_on_another_phone(self, web: TestClient, now: Now) -> None:
        """A person who already waits for the caller ends only the second call by it."""
        twiml = says(web, "/pressed?purpose=offer", CallSid=OTHER_LEG, Digits="2")
        assert "on another phone already" in spoken(twiml)
        assert (now().leg, now().ready) == (LEG, True)

    @pytest.mark.parametrize("digit", ["", "3", "#"])
    def test_another_key(self, web: TestClient, now: Now, digit: str) -> None:
        """The announcement is repeated."""
        assert next_url(says(web, "/pressed?purpose=offer", Digits=digit)) == f"/desk/{link()}/offer"
        assert next_url(says(web, "/pressed?purpose=join", Digits=digit)) == f"/desk/{link()}/join"
        assert now().assignee is None
