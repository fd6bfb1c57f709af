"""POST /stream-ended: whether a call whose stream has ended is over or goes on, and how it goes on."""

import threading
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from fastapi.testclient import TestClient
from pydantic import SecretStr

from functions.voice import next_step
from functions.voice.next_step import Ended, after_stream
from functions.voice.settings import Announcements, settings
from local.stack.emulator import Emulator
from shared import aws_clients
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.calls.stream_token import verify
from shared.twilio.webhook import Webhook
from tests.functions.voice.conftest import Received
from tests.functions.voice.twilio_requests import (
    CALL_SID,
    CALLED,
    CALLER,
    PUBLIC_URL,
    SIGNING_KEY,
    STREAM_URL,
    last_words,
    parameters,
    stream_ended,
    verbs,
)

ANNOUNCEMENTS = Announcements()
AGAIN = ["Connect", "Say", "Hangup"]


def names(twiml: str) -> list[str]:
    """The TwiML's verbs in order."""
    return [name for name, _text in verbs(twiml)]


@pytest.mark.usefixtures("on_emulator")
class TestEnded:
    """Calls that do not go on."""

    @pytest.mark.parametrize("end", [CallEnd.CALLER_HUNG_UP, CallEnd.AGENT_HUNG_UP])
    def test_a_normal_end(self, web: TestClient, calls: CallStore, received: Received, end: CallEnd) -> None:
        """A goodbye, and nobody is alerted."""
        calls.record_end(CALL_SID, end)
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.goodbye
        assert received() == []

    @pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled"])
    def test_the_caller_is_gone(self, web: TestClient, received: Received, status: str) -> None:
        """A caller who has hung up needs nothing more, even if the worker recorded no end."""
        assert last_words(stream_ended(web, CallStatus=status)) == ANNOUNCEMENTS.goodbye
        assert received() == []

    def test_a_failure(self, web: TestClient, calls: CallStore) -> None:
        """The worker has recorded that the call cannot go on, so it is not resumed."""
        calls.record_end(CALL_SID, CallEnd.FAILED)
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.apology_callback


@pytest.mark.usefixtures("on_emulator")
class TestResumption:
    """Calls that go on."""

    def test_a_dead_worker(self, web: TestClient, received: Received, capsys: pytest.CaptureFixture[str]) -> None:
        """No end was recorded: the call is connected to a worker again, with the same parameters."""
        twiml = stream_ended(web)
        assert names(twiml) == AGAIN
        assert f'action="{PUBLIC_URL}/stream-ended" method="POST"' in twiml
        assert f'<Stream url="{STREAM_URL}">' in twiml
        found = parameters(twiml)
        assert verify(SecretStr(SIGNING_KEY), found.pop("token"), CALL_SID)
        assert found == {"caller": CALLER, "called": CALLED, "resumed": "lost", "resumptions": "1"}
        assert received() == []
        assert '"CallsResumed":[1.0]' in capsys.readouterr().out

    def test_a_worker_that_drains(self, web: TestClient, calls: CallStore, received: Received) -> None:
        """It has recorded that it moved the call. If the next worker dies, that record does not count for it."""
        calls.record_end(CALL_SID, CallEnd.MOVED)
        assert parameters(stream_ended(web))["resumed"] == "moved"
        assert parameters(stream_ended(web))["resumed"] == "lost"
        assert received() == []

    def test_each_stream_has_a_token_of_its_own(self, web: TestClient, calls: CallStore) -> None:
        """The second stream's token is valid although the first one's has been used."""
        for _ in range(2):
            token_id = verify(SecretStr(SIGNING_KEY), parameters(stream_ended(web))["token"], CALL_SID)
            calls.claim_stream(CALL_SID, token_id, caller=CALLER, called=CALLED)

    def test_nothing_is_spoken(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """The greeting is for new calls; for a resumed call the agent speaks."""
        environ.setenv("GREETING", "Welcome.")
        assert names(stream_ended(web)) == AGAIN

    def test_a_pause_from_the_second_on(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """The load balancer may choose the dead worker again for a while, so the caller is asked to wait."""
        environ.setenv("HOLD_MESSAGE", "Einen Moment.")
        assert names(stream_ended(web)) == AGAIN
        for pause_s in (5, 10):
            twiml = stream_ended(web)
            assert verbs(twiml)[0] == ("Say", "Einen Moment.")
            assert names(twiml)[1:] == ["Pause", *AGAIN]
            assert f'<Pause length="{pause_s}" />' in twiml

    def test_no_pause_for_a_call_that_is_moved(self, web: TestClient, calls: CallStore) -> None:
        """However often: its worker is not dead, and the load balancer does not choose it while it drains."""
        for resumptions in range(3):
            calls.record_end(CALL_SID, CallEnd.MOVED, resumptions=resumptions)
            assert names(stream_ended(web)) == AGAIN

    def test_three_times_at_most(self, web: TestClient, calls: CallStore, received: Received) -> None:
        """Then an apology and an escalation, and the call is recorded as failed. Other calls have their own count."""
        for _ in range(3):
            assert "Connect" in names(stream_ended(web))
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.apology_callback
        assert calls.how_it_ended(CALL_SID) is CallEnd.FAILED
        assert len(received()) == 1
        assert names(stream_ended(web, CallSid="CA" + "2" * 32)) == AGAIN

    @pytest.mark.parametrize("times", [0, 1])
    def test_a_limit_of_ones_own(self, web: TestClient, environ: pytest.MonkeyPatch, times: int) -> None:
        """The limit can be set, also to 0."""
        environ.setenv("MAX_RESUMES", str(times))
        assert [names(stream_ended(web)) for _ in range(times + 1)] == [AGAIN] * times + [["Say", "Hangup"]]

    def test_it_cannot_be_counted(self, web: TestClient, environ: pytest.MonkeyPatch, emulator: Emulator) -> None:
        """A resumption that cannot be counted might be repeated without limit, so the call ends with the apology."""

        def fail(**_: object) -> None:
            raise EndpointConnectionError(endpoint_url="the table")

        dynamodb = boto3.client("dynamodb", **emulator.connection)
        dynamodb.meta.events.register("before-send.dynamodb.UpdateItem", fail)
        environ.setattr(aws_clients, "_clients", {"dynamodb": dynamodb})
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.apology_callback


async def test_the_table_hangs(environ: pytest.MonkeyPatch) -> None:
    """Twilio is answered anyway, in time for what follows."""
    over = threading.Event()
    hangs = Mock(get_item=lambda **_: over.wait())
    environ.setattr(next_step, "client", lambda _: hangs)
    environ.setattr(next_step, "STORE_LIMIT_S", 0.05)
    webhook = Webhook(call_sid=CALL_SID, caller=CALLER, called=CALLED, call_status="in-progress")
    try:
        assert await after_stream(webhook, settings()) is Ended.DROPPED
    finally:
        over.set()  # so that the loop's threads end
