"""POST /stream-ended: what a caller hears when their stream has ended, and who is told about it."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from functions.voice import broken_call
from functions.voice.settings import Spoken, settings
from functions.voice.webhook import Webhook
from shared.call_store import CallEnd, CallStore
from shared.escalation import Escalation, escalation_id_for
from tests.functions.voice.twilio_requests import CALL, CALL_SID, CALLED, CALLER, signed, verbs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

SPOKEN = Spoken()

Received = Callable[[], list[Escalation]]


@pytest.fixture
def received(sqs: "SQSClient", queue: str) -> Received:
    """Takes what is in the queue of escalations."""

    def receive() -> list[Escalation]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [Escalation.from_json(message["Body"]) for message in messages]

    return receive


@pytest.fixture
def calls(table: str, dynamodb: "DynamoDBClient") -> CallStore:
    """The store in which the worker records how calls ended."""
    return CallStore(table, dynamodb)


def stream_ended(web: TestClient, **fields: str) -> str:
    """What Twilio says before it hangs up, when it has asked about the ended stream of this call."""
    form = {**CALL, **fields}
    answer = web.post("/stream-ended", data=form, headers=signed("/stream-ended", form))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    ((verb, text), (last, _)) = verbs(answer.text)
    assert (verb, last) == ("Say", "Hangup")
    return text


@pytest.mark.usefixtures("on_emulator")
class TestOnAws:
    """With the table and the queue at hand."""

    @pytest.mark.parametrize("end", [CallEnd.CALLER_HUNG_UP, CallEnd.AGENT_HUNG_UP])
    def test_a_normal_end(self, web: TestClient, calls: CallStore, received: Received, end: CallEnd) -> None:
        """A goodbye, and nobody is bothered."""
        calls.record_end(CALL_SID, end)
        assert stream_ended(web) == SPOKEN.goodbye
        assert received() == []

    def test_a_failure(self, web: TestClient, calls: CallStore, received: Received) -> None:
        """An apology, and an escalation that says who called whom and why."""
        calls.record_end(CALL_SID, CallEnd.FAILED)
        assert stream_ended(web) == SPOKEN.sorry_we_will_call
        (escalation,) = received()
        assert (escalation.call_sid, escalation.caller, escalation.called) == (CALL_SID, CALLER, CALLED)
        assert (escalation.reason, escalation.urgency, escalation.language) == ("call_failed", "normal", "en-US")

    def test_a_dead_worker(self, web: TestClient, received: Received) -> None:
        """Nobody recorded an end at all: the same."""
        assert stream_ended(web) == SPOKEN.sorry_we_will_call
        assert len(received()) == 1

    def test_twilio_asks_twice(self, web: TestClient, received: Received) -> None:
        """Both escalations are one and the same, and the same that the worker would have sent."""
        stream_ended(web)
        stream_ended(web)
        assert [escalation.escalation_id for escalation in received()] == [escalation_id_for(CALL_SID)] * 2

    @pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled"])
    def test_the_caller_is_gone(self, web: TestClient, received: Received, status: str) -> None:
        """Whoever has hung up is not waiting for anybody."""
        assert stream_ended(web, CallStatus=status) == SPOKEN.goodbye
        assert received() == []

    def test_an_anonymous_caller(self, web: TestClient, received: Received) -> None:
        """People are told, but no call back is promised to somebody without a number."""
        assert stream_ended(web, From="+266696687") == SPOKEN.sorry_call_again
        assert [escalation.caller for escalation in received()] == ["anonymous"]

    def test_the_table_is_away(self, web: TestClient, environ: pytest.MonkeyPatch, received: Received) -> None:
        """How it ended cannot be told, so somebody calls back to find out."""
        environ.setenv("TABLE_NAME", "no-such-table")
        assert stream_ended(web) == SPOKEN.sorry_we_will_call
        assert len(received()) == 1

    def test_the_queue_is_away(
        self, web: TestClient, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """No promise is made that nobody would keep."""
        environ.setenv("ESCALATION_QUEUE_URL", "http://127.0.0.1:9/no-such-queue")
        assert stream_ended(web) == SPOKEN.sorry_call_again
        assert '"EscalationsNotSent":[1.0]' in capsys.readouterr().out

    def test_sentences_of_ones_own(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """Each sentence can be replaced."""
        environ.setenv("SORRY_WE_WILL_CALL", "Wir rufen zurück.")
        environ.setenv("GOODBYE", "Auf Wiederhören.")
        assert stream_ended(web) == "Wir rufen zurück."
        assert stream_ended(web, CallStatus="completed") == "Auf Wiederhören."


async def test_aws_hangs(environ: pytest.MonkeyPatch) -> None:
    """Both questions are answered all the same, while the caller is still there to hear it."""
    over = threading.Event()
    environ.setattr(broken_call, "client", lambda _: over.wait())
    environ.setattr(broken_call, "STORE_LIMIT_S", 0.05)
    environ.setattr(broken_call, "QUEUE_LIMIT_S", 0.05)
    webhook = Webhook(call_sid=CALL_SID, caller=CALLER, called=CALLED, call_status="in-progress")
    try:
        assert await broken_call.ended_well(webhook, settings()) is False
        assert await broken_call.escalate(webhook, settings()) is False
    finally:
        over.set()  # or the loop would wait for its threads for ever


def test_limits() -> None:
    """Both limits together, and a second for a cold start, are within the function's 12 s and Twilio's 15 s."""
    assert broken_call.STORE_LIMIT_S + broken_call.QUEUE_LIMIT_S + 1 < 12
