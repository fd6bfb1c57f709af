"""Twilio's conference events, and that nobody stays alone in a conference."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.escalations.record import Status
from shared.escalations.store import EscalationStore
from tests.escalations import CALL_SID
from tests.functions.desk.desk_requests import ESCALATION_ID, LEG, OTHER_LEG, PUBLIC_URL, asks
from tests.functions.desk.phone.phone_legs import Now
from tests.twilio_rest import TwilioRest

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)
PATH = f"/desk/conference?escalation={ESCALATION_ID}"
JOIN, LEAVE = "participant-join", "participant-leave"


@pytest.fixture
def waiting(waiting: EscalationStore, calls: CallStore) -> EscalationStore:
    """Maria waits on her phone, and the agent has transferred the caller."""
    calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION_ID})
    return waiting


def tells(web: TestClient, event: str, call_sid: str, answered: int = 204) -> Response:
    """Sends Twilio's event that somebody joined or left."""
    answer = asks(web, PATH, StatusCallbackEvent=event, CallSid=call_sid, ConferenceSid="CF1")
    assert answer.status_code == answered
    return answer


@pytest.mark.usefixtures("waiting")
def test_both_come(web: TestClient, now: Now, twilio: TwilioRest) -> None:
    """The caller first, and then the person: they are connected, also if each event is sent twice."""
    for _ in range(2):
        tells(web, JOIN, CALL_SID)
    assert (now().status, now().caller_joined) == (Status.ACCEPTED, True)
    for _ in range(2):
        tells(web, JOIN, LEG)
    assert now().status is Status.CONNECTED
    assert twilio.redirected == []


@pytest.mark.usefixtures("waiting")
def test_the_person_leaves(web: TestClient, now: Now) -> None:
    """It is resolved; that the caller leaves is reported by the person's own leg."""
    tells(web, JOIN, CALL_SID)
    tells(web, JOIN, LEG)
    tells(web, LEAVE, CALL_SID)
    assert now().status is Status.CONNECTED
    tells(web, LEAVE, LEG)
    assert (now().status, now().person) == (Status.RESOLVED, "maria")


def test_the_caller_comes_when_nobody_waits(
    web: TestClient, waiting: EscalationStore, now: Now, twilio: TwilioRest
) -> None:
    """The person has just hung up, so the caller is returned to the agent."""
    waiting.change(ESCALATION_ID, lambda record: record.unassigned(NOW, "gone", "maria"))
    tells(web, JOIN, CALL_SID)
    assert twilio.redirected == [(CALL_SID, f"{PUBLIC_URL}/transfer-ended")]
    assert not now().caller_joined
    assert now().caller_alone


@pytest.mark.parametrize("has_it", [True, False])
def test_the_caller_comes_before_the_next_person(
    web: TestClient, waiting: EscalationStore, now: Now, twilio: TwilioRest, has_it: bool
) -> None:
    """If Ben has accepted before the caller joins, the caller waits for him."""
    released = waiting.change(ESCALATION_ID, lambda record: record.unassigned(NOW, "gone", "maria"))
    twilio.redirected.clear()
    assert released.caller_alone
    waiting.change(ESCALATION_ID, lambda record: record.caller_settled())
    if has_it:
        waiting.change(ESCALATION_ID, lambda record: record.accepted("ben", NOW, LATER))
    tells(web, JOIN, CALL_SID)
    assert twilio.redirected == ([] if has_it else [(CALL_SID, f"{PUBLIC_URL}/transfer-ended")])
    assert now().return_check_at is not None


@pytest.mark.parametrize("status", ["completed", None])
@pytest.mark.usefixtures("waiting")
def test_the_person_comes_when_the_caller_has_gone(
    web: TestClient, now: Now, twilio: TwilioRest, calls: CallStore, status: str | None
) -> None:
    """Only Twilio knows: the person is redirected to wait, and from there to a callback."""
    tells(web, JOIN, CALL_SID)
    twilio.call_statuses = {LEG: "in-progress", **({CALL_SID: status} if status else {})}
    tells(web, JOIN, LEG)
    [(leg, url)] = twilio.redirected
    assert leg == LEG
    assert now().status is Status.ACCEPTED
    assert calls.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
    assert "Calling them back" in asks(web, url.removeprefix(PUBLIC_URL)).text


@pytest.mark.usefixtures("waiting")
def test_twilio_does_not_say_whether_the_caller_is_there(web: TestClient, now: Now, twilio: TwilioRest) -> None:
    """Then the table decides."""
    tells(web, JOIN, CALL_SID)
    twilio.refuse[CALL_SID] = 503
    tells(web, JOIN, LEG)
    assert now().status is Status.CONNECTED


@pytest.mark.usefixtures("waiting")
def test_the_person_cannot_be_sent_back(web: TestClient, now: Now, twilio: TwilioRest, calls: CallStore) -> None:
    """The escalation stays assigned to them until they hang up. Twilio gets an error status."""
    calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
    twilio.refuse[LEG] = 503
    tells(web, JOIN, LEG, answered=503)
    assert (now().status, now().assignee) == (Status.ACCEPTED, "maria")
    assert now().due_at is not None


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("refusal", [400, 404])
def test_the_person_has_hung_up_as_well(web: TestClient, twilio: TwilioRest, calls: CallStore, refusal: int) -> None:
    """Nobody is left to redirect, which is not a failure."""
    calls.record_end(CALL_SID, CallEnd.CALLER_HUNG_UP)
    twilio.refuse[LEG] = refusal
    tells(web, JOIN, LEG)


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("event", [JOIN, LEAVE, "conference-start", "conference-end", ""])
def test_anybody_else(web: TestClient, now: Now, twilio: TwilioRest, event: str) -> None:
    """Events about other legs, or about no leg, change nothing."""
    before = now()
    tells(web, event, OTHER_LEG)
    assert now() == before
    assert twilio.redirected == []


@pytest.mark.usefixtures("waiting")
def test_unsigned(web: TestClient, now: Now) -> None:
    """403, since the escalation's id is not a secret."""
    before = now()
    form = {"CallSid": CALL_SID, "StatusCallbackEvent": JOIN}
    assert web.post(PATH, data=form).status_code == 403
    assert now() == before


def test_no_such_escalation(web: TestClient) -> None:
    """It is answered with success, since a retry would not help."""
    tells(web, JOIN, CALL_SID)
