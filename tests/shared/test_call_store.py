"""The calls in the table, against the emulator."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from local.emulator import Emulator
from shared.call_store import KEPT_DAYS, CallEnd, CallStore, StoreUnavailable, TokenAlreadyUsed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CALLER, CALLED = "+15551234567", "+15557654321"


@pytest.fixture
def calls(table: str, dynamodb: "DynamoDBClient") -> CallStore:
    """The calls of a new table."""
    return CallStore(table, dynamodb)


class TestClaimStream:
    """CallStore.claim_stream"""

    def test_once(self, calls: CallStore) -> None:
        """The second claim of a token is refused; other tokens and other calls are not concerned."""
        calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
        with pytest.raises(TokenAlreadyUsed, match="CA1"):
            calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
        calls.claim_stream("CA1", "another", caller=CALLER, called=CALLED)
        calls.claim_stream("CA2", "token", caller=CALLER, called=CALLED)

    def test_of_many_at_once_one_wins(self, calls: CallStore) -> None:
        """Two streams with the same token at the same time are exactly the attack."""

        def claim(_: int) -> bool:
            try:
                calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
            except TokenAlreadyUsed:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(claim, range(16))) == 1

    def test_an_answer_that_got_lost(self, table: str, emulator: Emulator) -> None:
        """The first put is done but its answer lost; the SDK's second one must not take the caller for a thief."""
        connection = emulator.connection
        connection["config"] = Config(retries={"mode": "standard", "total_max_attempts": 2})  # as our own clients do
        dynamodb = boto3.client("dynamodb", **connection)
        sent: list[AWSPreparedRequest] = []

        def lose_the_first_answer(request: AWSPreparedRequest, **_: object) -> None:
            sent.append(request)
            if len(sent) == 1:
                URLLib3Session().send(request)
                raise ConnectionClosedError(endpoint_url=request.url)

        dynamodb.meta.events.register("before-send.dynamodb.PutItem", lose_the_first_answer)
        calls = CallStore(table, dynamodb)
        calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
        assert len(sent) == 2
        with pytest.raises(TokenAlreadyUsed):
            calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)


def test_how_it_ended(calls: CallStore) -> None:
    """Nothing before an end was recorded, then that end, then the latest."""
    assert calls.how_it_ended("CA1") is None
    calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
    assert calls.how_it_ended("CA1") is None
    calls.record_end("CA1", CallEnd.FAILED, {"seconds": 12.5, "turns": 3})
    assert calls.how_it_ended("CA1") is CallEnd.FAILED
    calls.record_end("CA1", CallEnd.CALLER_HUNG_UP)
    assert calls.how_it_ended("CA1") is CallEnd.CALLER_HUNG_UP
    assert calls.how_it_ended("CA2") is None


def test_normal() -> None:
    """Only a failure is not a normal end."""
    assert [end for end in CallEnd if not end.normal] == [CallEnd.FAILED]


def test_what_is_written_goes_again(calls: CallStore, table: str, dynamodb: "DynamoDBClient") -> None:
    """Everything that holds a phone number has an end in the table's time-to-live attribute."""
    calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
    calls.record_end("CA1", CallEnd.AGENT_HUNG_UP)
    items = dynamodb.scan(TableName=table)["Items"]
    assert len(items) == 2
    for item in items:
        assert time.time() < int(item["expires_at"]["N"]) <= time.time() + KEPT_DAYS * 86_400


def test_no_table(dynamodb: "DynamoDBClient") -> None:
    """A table that is not there is an error of ours for each method, with the SDK's as the cause."""
    calls = CallStore("no-such-table", dynamodb)
    with pytest.raises(StoreUnavailable, match="claiming a stream token") as error:
        calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
    assert error.value.__cause__ is not None
    with pytest.raises(StoreUnavailable, match="recording the end"):
        calls.record_end("CA1", CallEnd.FAILED)
    with pytest.raises(StoreUnavailable, match="reading how a call ended"):
        calls.how_it_ended("CA1")
