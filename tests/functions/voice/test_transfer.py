"""A caller goes to a person, and comes back to the agent: POST /stream-ended and POST /transfer-ended."""

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from functions.voice.settings import Announcements
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore, StoreUnavailable
from shared.calls.stream_token import verify
from shared.escalations.record import Event
from shared.escalations.store import EscalationStore
from shared.twilio.calls import TALK_LIMIT_S
from tests.escalations import escalation
from tests.functions.voice.conftest import Received
from tests.functions.voice.twilio_requests import (
    CALL_SID,
    PUBLIC_URL,
    SIGNING_KEY,
    last_words,
    parameters,
    stream_ended,
    transfer_ended,
    verbs,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ESCALATION = f"{CALL_SID}-2"
NOW = datetime.now(UTC)
SPOKEN = Announcements()

pytestmark = pytest.mark.usefixtures("on_emulator")


@pytest.fixture
def transferred(calls: CallStore) -> CallStore:
    """The worker has let go of the call because a person waits for the caller."""
    calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"reason": "person_ready", "escalation_id": ESCALATION})
    return calls


@pytest.mark.usefixtures("transferred")
def test_the_caller_waits_in_the_conference(
    web: TestClient, received: Received, capsys: pytest.CaptureFixture[str]
) -> None:
    """With Twilio's music until the person starts it; it ends when either leaves, and the desk is told of both."""
    for _ in range(2):  # Twilio asks again when an answer got lost
        response = ET.fromstring(stream_ended(web))  # noqa: S314 # our own XML
        [dial] = response
        [conference] = dial
        assert dial.attrib == {
            "action": f"{PUBLIC_URL}/transfer-ended",
            "method": "POST",
            "timeLimit": str(TALK_LIMIT_S),
        }
        assert conference.text == ESCALATION
        assert conference.attrib == {
            "startConferenceOnEnter": "false",
            "endConferenceOnExit": "true",
            "beep": "false",
            "participantLabel": "caller",
            "statusCallback": f"{PUBLIC_URL}/desk/conference?escalation={ESCALATION}",
            "statusCallbackEvent": "join leave",
        }
    assert received() == []
    assert '"CallsTransferred":[1.0]' in capsys.readouterr().out


@pytest.fixture
def escalations(table: str, dynamodb: "DynamoDBClient") -> EscalationStore:
    """The escalation, which Maria has taken."""
    store = EscalationStore(table, dynamodb)
    store.upsert(escalation(escalation_id=ESCALATION, call_sid=CALL_SID), NOW)
    store.change(ESCALATION, lambda record: record.accepted("maria", NOW, NOW, name="Maria Lopez"))
    return store


@pytest.mark.usefixtures("transferred")
def test_the_person_waits(web: TestClient, escalations: EscalationStore) -> None:
    """The caller goes to the conference; so too if Twilio asks again when they are connected."""
    for event in (
        lambda record: record.ready_on("CA9", "maria", NOW, NOW),
        lambda record: record.caller_joined_conference(NOW).connected(NOW, NOW),
    ):
        escalations.change(ESCALATION, event)
        assert [name for name, _ in verbs(stream_ended(web))] == ["Dial"]


@pytest.mark.parametrize(
    "leaves",
    [
        lambda record: record.unassigned(NOW, "hung up before the caller came"),
        lambda record: record.declined("maria", NOW),
        lambda record: record.resolved("maria", NOW, ""),
        lambda record: record.unassigned(NOW, "hung up").accepted("ben", NOW, NOW),
    ],
    ids=["hung up", "passed on", "resolved", "another person's phone rings"],
)
def test_the_person_has_hung_up_in_that_moment(
    web: TestClient,
    transferred: CallStore,
    escalations: EscalationStore,
    leaves: Event,
) -> None:
    """Nobody would come to the conference: the agent has the caller again, and that is no broken call."""
    escalations.change(ESCALATION, lambda record: leaves(record.ready_on("CA9", "maria", NOW, NOW)))
    twiml = stream_ended(web)
    assert [name for name, _ in verbs(twiml)] == ["Connect", "Say", "Hangup"]
    assert parameters(twiml)["resumed"] == "returned"
    assert transferred.how_it_ended(CALL_SID) is None
    assert transferred.try_resume(CALL_SID, 3) == 1


@pytest.mark.usefixtures("transferred", "escalations")
def test_the_table_does_not_tell_who_waits(web: TestClient, environ: pytest.MonkeyPatch) -> None:
    """The caller goes where the agent has sent them: from there they are fetched back, if need be."""

    def is_away(*_: object) -> NoReturn:
        raise StoreUnavailable("reading an escalation")

    environ.setattr(EscalationStore, "get", is_away)
    assert [name for name, _ in verbs(stream_ended(web))] == ["Dial"]


@pytest.mark.usefixtures("transferred", "escalations")
def test_nobody_waits_for_the_table(web: TestClient, environ: pytest.MonkeyPatch) -> None:
    """The answer is there while the table is still being asked."""
    answered = threading.Event()
    environ.setattr("functions.voice.next_step.LIFE_LIMIT_S", 0.05)
    environ.setattr(EscalationStore, "get", lambda *_: answered.wait(30))
    assert [name for name, _ in verbs(stream_ended(web))] == ["Dial"]
    answered.set()


def test_back_to_the_agent(web: TestClient, transferred: CallStore, capsys: pytest.CaptureFixture[str]) -> None:
    """The person has left or never came: the agent has the caller again, at once, and that is no broken call."""
    twiml = transfer_ended(web)
    assert [name for name, _ in verbs(twiml)] == ["Connect", "Say", "Hangup"]
    assert parameters(twiml)["resumed"] == "returned"
    assert verify(SecretStr(SIGNING_KEY), parameters(twiml)["token"], CALL_SID)
    assert transferred.how_it_ended(CALL_SID) is None
    assert '"TransfersReturned":[1.0]' in capsys.readouterr().out
    assert transferred.try_resume(CALL_SID, 3) == 1


def test_a_return_is_bounded(web: TestClient, transferred: CallStore, received: Received) -> None:
    """One for each transfer, and beyond that as many as a broken call may be resumed; then somebody calls back."""
    for resumptions in range(4):
        found = parameters(transfer_ended(web))
        assert (found["resumed"], found["resumptions"]) == ("returned", str(resumptions))
    assert last_words(transfer_ended(web)) == SPOKEN.apology_callback
    assert transferred.how_it_ended(CALL_SID) is CallEnd.FAILED
    assert len(received()) == 1
    transferred.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION}, resumptions=3)
    assert parameters(transfer_ended(web))["resumed"] == "returned"


@pytest.mark.parametrize("ended", [stream_ended, transfer_ended])
def test_the_caller_has_hung_up(web: TestClient, transferred: CallStore, received: Received, ended: object) -> None:
    """On the way to the person, or while talking: nobody is bothered, and the person who waits can be told."""
    assert callable(ended)
    assert last_words(ended(web, CallStatus="completed")) == SPOKEN.goodbye
    assert transferred.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
    assert received() == []


@pytest.mark.parametrize("ended", [stream_ended, transfer_ended])
def test_the_table_is_away(web: TestClient, environ: pytest.MonkeyPatch, ended: object) -> None:
    """An apology to whoever is still there; whoever has gone needs none."""
    environ.setenv("TABLE_NAME", "no-table")
    assert callable(ended)
    assert last_words(ended(web)) == SPOKEN.apology_callback
    assert last_words(ended(web, CallStatus="completed")) == SPOKEN.goodbye
