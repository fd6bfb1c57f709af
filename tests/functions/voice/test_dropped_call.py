"""POST /stream-ended for a dropped call: what its caller hears, and the escalation that is sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from fastapi.testclient import TestClient

from functions.voice import dropped_call, next_step
from functions.voice.settings import Announcements, settings
from local.stack.emulator import Emulator
from shared import aws_clients
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from shared.calls.transcript import TranscriptEntry
from shared.escalations.request import escalation_id_for
from shared.escalations.store import EscalationStore
from shared.twilio.webhook import Webhook
from tests.escalations import escalation as asked_for
from tests.functions.voice.conftest import Received
from tests.functions.voice.twilio_requests import CALL_SID, CALLED, CALLER, last_words, stream_ended

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ANNOUNCEMENTS = Announcements()


@pytest.fixture
def failed(calls: CallStore) -> None:
    """The worker has recorded that the call failed."""
    calls.record_end(CALL_SID, CallEnd.FAILED)


@pytest.mark.usefixtures("on_emulator", "failed")
class TestOnAws:
    """With the emulator's table and queue."""

    def test_a_failure(self, web: TestClient, received: Received) -> None:
        """An apology, and an escalation that says who called whom and why."""
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.apology_callback
        (escalation,) = received()
        assert (escalation.call_sid, escalation.caller, escalation.called) == (CALL_SID, CALLER, CALLED)
        assert (escalation.reason, escalation.urgency, escalation.language) == ("call_failed", "normal", "en-US")
        assert "not known" in escalation.summary
        assert escalation.transcript == []

    def test_what_was_said(self, web: TestClient, calls: CallStore, received: Received) -> None:
        """The last transcript entries are in it, without tool outputs and empty entries."""
        for index, words in enumerate(["", *map(str, range(25))]):
            calls.keep_turns({(CALL_SID, index, 0): TranscriptEntry(role="caller", text=words, at=datetime.now(UTC))})
        calls.keep_turns({(CALL_SID, 26, 0): TranscriptEntry(role="tool", text='{"open": true}', at=datetime.now(UTC))})
        calls.keep_turns({(CALL_SID, 27, 0): TranscriptEntry(role="agent", text="", at=datetime.now(UTC))})
        stream_ended(web)
        (escalation,) = received()
        assert [entry.text for entry in escalation.transcript] == [str(number) for number in range(5, 25)]
        assert "in the transcript" in escalation.summary

    def test_what_was_said_cannot_be_read(
        self, web: TestClient, environ: pytest.MonkeyPatch, received: Received, emulator: Emulator
    ) -> None:
        """The escalation is sent without it."""

        def fail(**_: object) -> None:
            raise EndpointConnectionError(endpoint_url="the table")

        dynamodb = boto3.client("dynamodb", **emulator.connection)
        dynamodb.meta.events.register("before-send.dynamodb.Query", fail)
        environ.setattr(aws_clients, "_clients", {"dynamodb": dynamodb})
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.apology_callback
        assert [escalation.transcript for escalation in received()] == [[]]

    def test_twilio_asks_twice(self, web: TestClient, received: Received) -> None:
        """Both escalations have the same id, which is also the one that the worker would have used."""
        stream_ended(web)
        stream_ended(web)
        assert [escalation.escalation_id for escalation in received()] == [escalation_id_for(CALL_SID)] * 2

    def test_after_an_escalation(
        self, web: TestClient, table: str, dynamodb: "DynamoDBClient", received: Received
    ) -> None:
        """If the call's escalation is open, its id is used; after a resolved one, the next id."""
        store, now = EscalationStore(table, dynamodb), datetime.now(UTC)
        store.upsert(asked_for(call_sid=CALL_SID, escalation_id=escalation_id_for(CALL_SID)), now)
        stream_ended(web)
        store.change(escalation_id_for(CALL_SID), lambda record: record.resolved("maria", now, "done"))
        stream_ended(web)
        ids = sorted(escalation.escalation_id for escalation in received())
        assert ids == [escalation_id_for(CALL_SID), escalation_id_for(CALL_SID, 2)]

    def test_an_anonymous_caller(self, web: TestClient, received: Received) -> None:
        """An escalation is sent, but no callback is promised to a caller without a number."""
        assert last_words(stream_ended(web, From="+266696687")) == ANNOUNCEMENTS.apology_retry
        assert [escalation.caller for escalation in received()] == ["anonymous"]

    def test_a_caller_with_an_address(self, web: TestClient, received: Received) -> None:
        """A SIP address cannot be called back, so no callback is promised."""
        assert last_words(stream_ended(web, From="sip:bob@example.com")) == ANNOUNCEMENTS.apology_retry
        assert [escalation.caller for escalation in received()] == ["sip:bob@example.com"]

    def test_the_table_is_away(self, web: TestClient, environ: pytest.MonkeyPatch, received: Received) -> None:
        """How the call ended is not known, so an escalation is sent."""
        environ.setenv("TABLE_NAME", "no-such-table")
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.apology_callback
        assert len(received()) == 1

    def test_the_queue_is_away(
        self, web: TestClient, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """No callback is promised, since nobody would be told."""
        environ.setenv("ESCALATION_QUEUE_URL", "http://127.0.0.1:9/no-such-queue")
        assert last_words(stream_ended(web)) == ANNOUNCEMENTS.apology_retry
        assert '"EscalationsNotSent":[1.0]' in capsys.readouterr().out

    def test_announcements_from_the_settings(self, web: TestClient, environ: pytest.MonkeyPatch) -> None:
        """Each announcement can be set."""
        environ.setenv("APOLOGY_CALLBACK", "Wir rufen zurück.")
        environ.setenv("GOODBYE", "Auf Wiederhören.")
        assert last_words(stream_ended(web)) == "Wir rufen zurück."
        assert last_words(stream_ended(web, CallStatus="completed")) == "Auf Wiederhören."


class TestAwsHangs:
    """Twilio is answered anyway, within its time limit."""

    WEBHOOK = Webhook(call_sid=CALL_SID, caller=CALLER, called=CALLED, call_status="in-progress")

    async def test_all_of_it(self, environ: pytest.MonkeyPatch) -> None:
        """No callback is promised."""
        environ.setattr(dropped_call, "QUEUE_LIMIT_S", 0.05)
        with hanging(environ, "dynamodb", "sqs"):
            assert await dropped_call.escalate(self.WEBHOOK, settings()) is False

    @pytest.mark.usefixtures("on_emulator")
    async def test_the_table(self, environ: pytest.MonkeyPatch, received: Received) -> None:
        """The escalation is sent without the transcript, with the id of the call's first escalation."""
        with hanging(environ, "dynamodb"):
            assert await dropped_call.escalate(self.WEBHOOK, settings()) is True
        (escalation,) = received()
        assert (escalation.escalation_id, escalation.transcript) == (escalation_id_for(CALL_SID), [])


@contextmanager
def hanging(environ: pytest.MonkeyPatch, *services: str) -> Iterator[None]:
    """These AWS services accept requests and never answer; the limit for reading is short."""
    over, client = threading.Event(), aws_clients.client
    hangs = Mock(side_effect=lambda *_, **__: over.wait())
    hangs.send_message, hangs.get_item, hangs.get_paginator = hangs, hangs, hangs
    environ.setattr(dropped_call, "client", lambda service: hangs if service in services else client(service))
    environ.setattr(dropped_call, "READ_LIMIT_S", 0.05)
    try:
        yield
    finally:
        over.set()  # so that the loop's threads end


def test_limits() -> None:
    """All limits together, and a second for a cold start, are within the function's 12 s and Twilio's 15 s."""
    assert next_step.STORE_LIMIT_S + dropped_call.READ_LIMIT_S + dropped_call.QUEUE_LIMIT_S + 1 < 12
