"""A caller is transferred to a person and returned to the agent: POST /stream-ended and POST /transfer-ended."""

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
ANNOUNCEMENTS = Announcements()

pytestmark = pytest.mark.usefixtures("on_emulator")


@pytest.fixture
def transferred(calls: CallStore) -> CallStore:
    """The worker has ended its stream because a person waits for the caller."""
    calls.record_end(CALL_SID, CallEnd.TRANSFERRED, {"reason": "person_ready", "escalation_id": ESCALATION})
    return calls


@pytest.mark.usefixtures("transferred")
def test_the_caller_waits_in_the_conference(
    web: TestClient, received: Received, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller hears hold music until the person joins; it ends when either leaves; Twilio tells the desk of both."""
    for _ in range(2):  # Twilio repeats a request whose answer got lost
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
    """The store of escalations, with one that Maria has accepted."""
    store = EscalationStore(table, dynamodb)
    store.upsert(escalation(escalation_id=ESCALATION, call_sid=CALL_SID), NOW)
    store.change(ESCALATION, lambda record: record.accepted("maria", NOW, NOW, name="Maria Lopez"))
    return store


@pytest.mark.usefixtures("transferred")
def test_the_person_waits(web: TestClient, escalations: EscalationStore) -> None:
    """The caller goes to the conference, also if Twilio repeats the request when they are connected."""
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
    ids=["hung up", "declined", "resolved", "another person's phone rings"],
)
def test_the_person_has_just_hung_up(
    web: TestClient,
    transferred: CallStore,
    escalations: EscalationStore,
    leaves: Event,
) -> None:
    """Nobody would join the conference: the caller is returned to the agent, which is not a dropped call."""
    escalations.change(ESCALATION, lambda record: leaves(record.ready_on("CA9", "maria", NOW, NOW)))
    twiml = stream_ended(web)
    assert [name for name, _ in verbs(twiml)] == ["Connect", "Say", "Hangup"]
    assert parameters(twiml)["resumed"] == "returned"
    assert transferred.how_it_ended(CALL_SID) is None
    assert transferred.try_resume(CALL_SID, 3) == 1


@pytest.mark.usefixtures("transferred", "escalations")
def test_the_table_does_not_answer(web: TestClient, environ: pytest.MonkeyPatch) -> None:
    """The caller goes to the conference, from where they are returned if nobody joins."""

    def is_away(*_: object) -> NoReturn:
        raise StoreUnavailable("reading an escalation")

    environ.setattr(EscalationStore, "get", is_away)
    assert [name for name, _ in verbs(stream_ended(web))] == ["Dial"]


@pytest.mark.usefixtures("transferred", "escalations")
def test_a_slow_table_is_not_waited_for(web: TestClient, environ: pytest.MonkeyPatch) -> None:
    """Twilio is answered while the table still is not."""
    answered = threading.Event()
    environ.setattr("functions.voice.next_step.ESCALATION_LIMIT_S", 0.05)
    environ.setattr(EscalationStore, "get", lambda *_: answered.wait(30))
    assert [name for name, _ in verbs(stream_ended(web))] == ["Dial"]
    answered.set()


def test_back_to_the_agent(web: TestClient, transferred: CallStore, capsys: pytest.CaptureFixture[str]) -> None:
    """The person has left or never came: the caller is returned to the agent at once, which is not a dropped call."""
    twiml = transfer_ended(web)
    assert [name for name, _ in verbs(twiml)] == ["Connect", "Say", "Hangup"]
    assert parameters(twiml)["resumed"] == "returned"
    assert verify(SecretStr(SIGNING_KEY), parameters(twiml)["token"], CALL_SID)
    assert transferred.how_it_ended(CALL_SID) is None
    assert '"TransfersReturned":[1.0]' in capsys.readouterr().out
    assert transferred.try_resume(CALL_SID, 3) == 1


def test_a_return_is_bounded(web: TestClient, transferred: CallStore, received: Received) -> None:
    """One for each transfer, and beyond that as many as a dropped call may have resumptions; then a callback."""
    for resumptions in range(4):
        found = parameters(transfer_ended(web))
        assert (found["resumed"], found["resumptions"]) == ("returned", str(resumptions))
    assert last_words(transfer_ended(web)) == ANNOUNCEMENTS.apology_callback
    assert transferred.how_it_ended(CALL_SID) is CallEnd.FAILED
    assert len(received()) == 1
    transferred.record_end(CALL_SID, CallEnd.TRANSFERRED, {"escalation_id": ESCALATION}, resumptions=3)
    assert parameters(transfer_ended(web))["resumed"] == "returned"


@pytest.mark.parametrize("ended", [stream_ended, transfer_ended])
def test_the_caller_has_hung_up(web: TestClient, transferred: CallStore, received: Received, ended: object) -> None:
    """On the way to the person, or while talking: nobody is alerted, and the waiting person can be told."""
    assert callable(ended)
    assert last_words(ended(web, CallStatus="completed")) == ANNOUNCEMENTS.goodbye
    assert transferred.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
    assert received() == []


@pytest.mark.parametrize("ended", [stream_ended, transfer_ended])
def test_the_table_is_away(web: TestClient, environ: pytest.MonkeyPatch, ended: object) -> None:
    """A caller who is still there hears an apology; one who has hung up needs none."""
    environ.setenv("TABLE_NAME", "no-table")
    assert callable(ended)
    assert last_words(ended(web)) == ANNOUNCEMENTS.apology_callback
    assert last_words(ended(web, CallStatus="completed")) == ANNOUNCEMENTS.goodbye
