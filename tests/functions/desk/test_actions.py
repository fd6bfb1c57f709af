"""Taps: each acts once, and a tap on an outdated page does nothing and shows the current status."""

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.escalations.record import Status
from shared.escalations.reminders import Reminder
from shared.escalations.store import EscalationStore
from tests.escalations import CALL_SID, CALLED, alerts_to
from tests.functions.desk.desk_requests import (
    ESCALATION_ID,
    OUR_NUMBER,
    PUBLIC_URL,
    asks,
    form_of,
    headline,
    link,
    look,
    tap,
)
from tests.functions.desk.phone.phone_legs import Now
from tests.twilio_rest import TwilioRest

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

NOW = datetime.now(UTC)
MARIAS, BENS = "+15550100301", "+15550100302"
UNCHANGED = "Nothing was changed by your last tap"


class TestTake:
    """Take the call."""

    def test_the_persons_phone_rings(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """They become the assignee, and Twilio gets the URLs for the call's TwiML and for its end."""
        page = tap(web, link(), "take")
        assert headline(page.text) == "Your phone rings"
        assert (now().status, now().assignee, now().person_name) == (Status.ACCEPTED, "maria", "Maria Lopez")
        [call] = twilio.calls
        assert (call["To"], call["From"]) == (MARIAS, OUR_NUMBER)
        assert call["Url"] == f"{PUBLIC_URL}/desk/{link()}/join"
        assert call["StatusCallback"].startswith(f"{PUBLIC_URL}/desk/{link()}/leg-ended?taken=")

    @pytest.mark.usefixtures("alerted")
    def test_from_what_was_called_if_sms_come_from_a_service(
        self, web: TestClient, environ: pytest.MonkeyPatch, twilio: TwilioRest
    ) -> None:
        """A messaging service cannot place calls."""
        environ.setenv("ALERT_FROM", "MG" + "0" * 32)
        tap(web, link(), "take")
        assert [call["From"] for call in twilio.calls] == [CALLED]

    def test_a_second_tap(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """The phone rings once, and the page shows no error."""
        form = form_of(look(web, link()))
        tap(web, link(), "take", form)
        before = now()
        page = tap(web, link(), "take", form)
        assert headline(page.text) == "Your phone rings"
        assert UNCHANGED not in page.text
        assert len(twilio.calls) == 1
        assert now() == before

    def test_two_at_once(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """One becomes the assignee, and the other reads who it is."""
        forms = {person: form_of(look(web, link(person))) for person in ("maria", "ben")}
        pages: dict[str, str] = {}
        ready = threading.Barrier(2)

        def tapped(person: str) -> None:
            ready.wait()
            pages[person] = tap(web, link(person), "take", forms[person]).text

        threads = [threading.Thread(target=tapped, args=(person,)) for person in forms]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winner, name = {"maria": ("maria", "Maria Lopez"), "ben": ("ben", "Ben Okafor")}[now().assignee or ""]
        loser = "ben" if winner == "maria" else "maria"
        assert headline(pages[winner]) == "Your phone rings"
        assert headline(pages[loser]) == f"{name} took it"
        assert UNCHANGED in pages[loser]
        assert [call["To"] for call in twilio.calls] == [MARIAS if winner == "maria" else BENS]

    def test_a_form_sent_again_after_passing_on(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """A form that a browser repeats hours later accepts nothing."""
        form = form_of(look(web, link()))
        tap(web, link(), "take", form)
        tap(web, link(), "pass-on")
        before = now()
        page = tap(web, link(), "take", form)
        assert UNCHANGED in page.text
        assert now() == before
        assert len(twilio.calls) == 1

    def test_a_tier_alerted_meanwhile(self, web: TestClient, now: Now, alerted: EscalationStore) -> None:
        """A change that does not matter for the buttons leaves them working."""
        form = form_of(look(web, link()))
        alerted.change(ESCALATION_ID, lambda record: record.alerted(2, NOW, NOW, alerts_to("ben")))
        assert headline(tap(web, link(), "take", form).text) == "Your phone rings"
        assert now().assignee == "maria"

    @pytest.mark.parametrize("refusal", [400, 503])
    def test_twilio_refuses(self, web: TestClient, now: Now, twilio: TwilioRest, refusal: int) -> None:
        """The page says so, the escalation is unassigned, and the button works once Twilio does."""
        twilio.refuse[MARIAS] = refusal
        page = tap(web, link(), "take")
        assert headline(page.text) == "A caller is waiting"
        assert "That did not work: the phone could not be made to ring" in page.text
        assert (now().status, now().assignee) == (Status.ALERTED, None)
        assert now().due_at is not None
        del twilio.refuse[MARIAS]
        assert headline(tap(web, link(), "take").text) == "Your phone rings"

    def test_twilio_does_not_answer(
        self, web: TestClient, now: Now, twilio: TwilioRest, environ: pytest.MonkeyPatch
    ) -> None:
        """The call may have been placed anyway, so a person who picks up and presses 1 becomes the assignee."""
        environ.setattr("shared.twilio.rest.READ_TIMEOUT_S", 0.1)
        form = form_of(look(web, link()))
        twilio.hang.set()
        page = tap(web, link(), "take", form)
        twilio.hang.clear()
        assert "could not be made to ring" in page.text
        assert now().assignee is None
        asks(web, f"/desk/{link()}/pressed?purpose=join", Digits="1")
        assert (now().assignee, now().ready) == ("maria", True)

    def test_without_a_phone(self, web: TestClient, now: Now, twilio: TwilioRest) -> None:
        """A person without a phone has no button, and a forged request does nothing."""
        token = link("topic")
        page = look(web, token)
        assert 'id="big"' not in page
        tap(web, token, "take")
        assert now().assignee is None
        assert twilio.calls == []

    def test_a_reminder_is_sent(self, web: TestClient, now: Now, sqs: "SQSClient", queue: str) -> None:
        """So that the escalation policy checks it if the person does not come."""
        tap(web, link(), "take")
        counts = sqs.get_queue_attributes(
            QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        )["Attributes"]
        assert counts == {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "1"}
        assert now().due_at is not None

    def test_a_queue_that_is_away(self, web: TestClient, now: Now, environ: pytest.MonkeyPatch) -> None:
        """The reminder is not sent, but the call is placed."""
        environ.setenv("REMINDER_QUEUE_URL", "http://127.0.0.1:9/no-queue")
        assert headline(tap(web, link(), "take").text) == "Your phone rings"
        assert now().assignee == "maria"


class TestCallBack:
    """Call back a caller who has hung up."""

    def test_the_page_offers_it(self, web: TestClient, now: Now, calls: CallStore, twilio: TwilioRest) -> None:
        """Instead of taking the call; the person's own phone rings first."""
        calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
        page = look(web, link())
        assert headline(page) == "Call the caller back"
        assert 'action="/desk/' + link() + '/call-back"' in page
        tap(web, link(), "call-back")
        assert now().calling_back
        assert [call["To"] for call in twilio.calls] == [MARIAS]

    def test_nobody_who_is_on_the_line_is_called(self, web: TestClient, now: Now) -> None:
        """Even if a form asks for it."""
        tap(web, link(), "call-back")
        assert (now().assignee, now().calling_back) == ("maria", False)

    @pytest.mark.parametrize("still", [CallEnd.MOVED, CallEnd.TRANSFERRED])
    @pytest.mark.usefixtures("alerted")
    def test_not_while_the_caller_is_there(self, web: TestClient, calls: CallStore, still: CallEnd) -> None:
        """A call that goes on with another worker has not ended."""
        calls.record_end(CALL_SID, still)
        assert headline(look(web, link())) == "A caller is waiting"


class TestPassOn:
    """Decline."""

    def test_others_are_asked(self, web: TestClient, now: Now) -> None:
        """A person who declined can still accept."""
        page = tap(web, link(), "pass-on")
        assert now().declined_by == ("maria",)
        assert "You passed it on. You can still take it." in page.text
        assert "/pass-on" not in page.text
        assert headline(tap(web, link(), "take").text) == "Your phone rings"

    def test_the_last_one(self, web: TestClient, now: Now, sqs: "SQSClient", queue: str) -> None:
        """When everybody has declined, a check is due at once."""
        tap(web, link("ben"), "pass-on")
        tap(web, link(), "pass-on")
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
        assert Reminder(escalation_id=ESCALATION_ID, check=0) in [
            Reminder.from_json(message["Body"]) for message in messages
        ]

    def test_what_one_has_taken(self, web: TestClient, now: Now) -> None:
        """It becomes unassigned."""
        tap(web, link(), "take")
        tap(web, link(), "pass-on")
        assert (now().status, now().assignee) == (Status.ALERTED, None)

    def test_what_somebody_else_has_taken(self, web: TestClient, now: Now) -> None:
        """It stays assigned to them."""
        form = form_of(look(web, link("ben")))
        tap(web, link(), "take")
        page = tap(web, link("ben"), "pass-on", form)
        assert headline(page.text) == "Maria Lopez took it"
        assert now().assignee == "maria"


class TestResolve:
    """Resolve it."""

    def test_with_a_note(self, web: TestClient, now: Now) -> None:
        """Everybody sees who resolved it, and the note."""
        tap(web, link(), "resolve", note="  Paid <b>back</b>.  ")
        assert (now().status, now().person, now().history[-1].detail) == (Status.RESOLVED, "maria", "Paid <b>back</b>.")
        page = look(web, link("ben"))
        assert "Maria Lopez dealt with it at" in page
        assert "Paid &lt;b&gt;back&lt;/b&gt;." in page

    def test_another_note(self, web: TestClient, now: Now) -> None:
        """The same person can replace the note; the first form, sent again, does not restore the first note."""
        first = form_of(look(web, link()))
        tap(web, link(), "resolve", first, note="one")
        tap(web, link(), "resolve", note="two")
        tap(web, link(), "resolve", first, note="one")
        assert now().history[-1].detail == "two"

    def test_not_what_somebody_else_has(self, web: TestClient, now: Now) -> None:
        """Only the assignee can resolve it."""
        form = form_of(look(web, link("ben")))
        tap(web, link(), "take")
        tap(web, link("ben"), "resolve", form, note="mine")
        assert now().status is Status.ACCEPTED
        assert "/resolve" not in look(web, link("ben"))

    @pytest.mark.usefixtures("alerted")
    def test_a_note_like_one_of_ours(self, web: TestClient) -> None:
        """It is shown, although the desk's own entry begins with the same word."""
        tap(web, link(), "resolve", note="talked to her brother")
        assert "Note</span> talked to her brother" in look(web, link("ben"))

    def test_a_long_note(self, web: TestClient, now: Now) -> None:
        """It is cut at the length limit of the page's text field."""
        tap(web, link(), "resolve", note="x" * 5000)
        assert len(now().history[-1].detail) == 1000


class TestForms:
    """A tap counts only with the token of this person's form for this escalation."""

    def test_none(self, web: TestClient, now: Now) -> None:
        """Without a token, or with a body that is not a form: 400, and nothing happens."""
        assert web.post(f"/desk/{link()}/take").status_code == 400
        assert web.post(f"/desk/{link()}/take", json={"form": "x"}).status_code == 400
        assert now().assignee is None

    def test_made_up(self, web: TestClient, now: Now) -> None:
        """A forged token does nothing, and the page says so."""
        page = tap(web, link(), "take", form="WyJDQTEtMSIsIm1hcmlhIiwwXQ.made-up")
        assert UNCHANGED in page.text
        assert now().assignee is None

    def test_another_persons(self, web: TestClient, now: Now) -> None:
        """Ben's form does nothing under Maria's link."""
        page = tap(web, link(), "take", form=form_of(look(web, link("ben"))))
        assert UNCHANGED in page.text
        assert now().assignee is None

    @pytest.mark.usefixtures("alerted")
    def test_the_way_back(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """The redirect's path is below the path of PUBLIC_URL, as the page's own URLs are."""
        environ.setenv("PUBLIC_URL", f"{PUBLIC_URL}/prod")
        page = web.get(f"/desk/{link()}").text
        assert f'action="/prod/desk/{link()}/take"' in page
        answer = web.post(f"/desk/{link()}/take", data={"form": form_of(page)}, follow_redirects=False)
        assert (answer.status_code, urlsplit(answer.headers["Location"]).path) == (303, f"/prod/desk/{link()}")
