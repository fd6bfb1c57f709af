"""The calls in the table, against the emulator."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from local.stack.emulator import Emulator
from shared.calls.ending import CallEnd
from shared.calls.store import (
    KEPT_DAYS,
    LAST_TURNS,
    CallStore,
    RecordedEnd,
    ResumedMeanwhile,
    StoreUnavailable,
    TokenAlreadyUsed,
)
from shared.calls.transcript import TranscriptEntry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CALLER, CALLED = "+15551234567", "+15557654321"


@pytest.fixture
def calls(table: str, dynamodb: "DynamoDBClient") -> CallStore:
    """The calls of a new table."""
    return CallStore(table, dynamodb)


def turn(text: str, role: str = "caller") -> TranscriptEntry:
    """A transcript entry."""
    return TranscriptEntry(role=role, text=text, at=datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC))


class TestClaimStream:
    """CallStore.claim_stream"""

    def test_once(self, calls: CallStore) -> None:
        """The second claim of a token is refused; other tokens and other calls are not affected."""
        calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
        with pytest.raises(TokenAlreadyUsed, match="CA1"):
            calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
        calls.claim_stream("CA1", "another", caller=CALLER, called=CALLED)
        calls.claim_stream("CA2", "token", caller=CALLER, called=CALLED)

    def test_of_many_at_once_one_wins(self, calls: CallStore) -> None:
        """Two concurrent streams with one token are an attack."""

        def claim(_: int) -> bool:
            try:
                calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
            except TokenAlreadyUsed:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(claim, range(16))) == 1

    def test_an_answer_that_got_lost(self, table: str, emulator: Emulator) -> None:
        """The first put succeeds but its answer is lost; the SDK's retry must not count as a second use."""
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
    """None before an end was recorded, then the latest end."""
    assert calls.how_it_ended("CA1") is None
    calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
    assert calls.how_it_ended("CA1") is None
    calls.record_end("CA1", CallEnd.FAILED, {"seconds": 12.5, "turns": 3})
    assert calls.how_it_ended("CA1") is CallEnd.FAILED
    calls.record_end("CA1", CallEnd.CALLER_HUNG_UP)
    assert calls.how_it_ended("CA1") is CallEnd.CALLER_HUNG_UP
    assert calls.how_it_ended("CA2") is None


def test_the_details_of_an_end(calls: CallStore) -> None:
    """They are read back as they were recorded, and are empty if none were given."""
    calls.record_end("CA1", CallEnd.TRANSFERRED, {"escalation_id": "CA1-2"})
    assert calls.recorded_end("CA1") == RecordedEnd(CallEnd.TRANSFERRED, {"escalation_id": "CA1-2"})
    calls.record_end("CA1", CallEnd.FAILED)
    assert calls.recorded_end("CA1") == RecordedEnd(CallEnd.FAILED, {})


@pytest.mark.parametrize("end", CallEnd)
@pytest.mark.parametrize(
    ("over", "now"),
    [(CallStore.caller_has_gone, CallEnd.CALLER_HUNG_UP), (CallStore.has_failed, CallEnd.FAILED)],
)
def test_it_is_over(calls: CallStore, over: Callable[[CallStore, str], None], now: CallEnd, end: CallEnd) -> None:
    """It replaces an end after which a call goes on; a final end stays."""
    over(calls, "CA1")
    assert calls.how_it_ended("CA1") is now
    calls.record_end("CA2", end, {"reason": "x"})
    over(calls, "CA2")
    goes_on = end in (CallEnd.MOVED, CallEnd.TRANSFERRED)
    assert calls.how_it_ended("CA2") is (now if goes_on else end)


def test_a_transfer_allows_one_return(calls: CallStore) -> None:
    """Each transfer allows one return, and no other end does; a return does not count as a resumption."""
    assert calls.try_return("CA1") is None
    for resumptions in range(2):
        calls.record_end("CA1", CallEnd.TRANSFERRED, {"escalation_id": "CA1-1"}, resumptions=resumptions)
        assert calls.try_return("CA1") == resumptions
        assert calls.how_it_ended("CA1") is None
        assert calls.try_return("CA1") is None
        assert calls.try_resume("CA1", 3) == resumptions + 1
    calls.record_end("CA1", CallEnd.MOVED, resumptions=2)
    assert calls.try_return("CA1") is None


def test_normal() -> None:
    """A call that failed or goes on elsewhere is not finished."""
    assert [end for end in CallEnd if not end.normal] == [CallEnd.FAILED, CallEnd.MOVED, CallEnd.TRANSFERRED]


class TestTryResume:
    """CallStore.try_resume"""

    def test_it_counts(self, calls: CallStore) -> None:
        """From 1 to the limit, and then 0; each call on its own."""
        assert [calls.try_resume("CA1", 2) for _ in range(4)] == [1, 2, 0, 0]
        assert calls.try_resume("CA2", 2) == 1

    def test_none_are_allowed(self, calls: CallStore) -> None:
        """A limit of 0 allows none."""
        assert calls.try_resume("CA1", 0) == 0

    def test_many_at_once(self, calls: CallStore) -> None:
        """Each gets its own number, and there are never more than the limit."""
        with ThreadPoolExecutor(8) as threads:
            counted = list(threads.map(lambda _: calls.try_resume("CA1", 5), range(16)))
        assert sorted(number for number in counted if number) == [1, 2, 3, 4, 5]

    def test_the_end_is_removed(self, calls: CallStore) -> None:
        """A resumption removes the recorded end; the count stays when another end is recorded."""
        calls.record_end("CA1", CallEnd.MOVED, {"reason": "leaving"})
        assert calls.try_resume("CA1", 2) == 1
        assert calls.how_it_ended("CA1") is None
        calls.record_end("CA1", CallEnd.MOVED, resumptions=1)
        assert calls.how_it_ended("CA1") is CallEnd.MOVED
        assert [calls.try_resume("CA1", 2) for _ in range(2)] == [2, 0]

    def test_an_end_that_comes_late(self, calls: CallStore) -> None:
        """A worker whose call was resumed elsewhere cannot record its end; the latest worker can."""
        assert calls.try_resume("CA1", 2) == 1
        with pytest.raises(ResumedMeanwhile, match="CA1"):
            calls.record_end("CA1", CallEnd.FAILED)
        assert calls.how_it_ended("CA1") is None
        calls.record_end("CA1", CallEnd.MOVED, resumptions=1)
        assert calls.try_resume("CA1", 2) == 2
        with pytest.raises(ResumedMeanwhile):
            calls.record_end("CA1", CallEnd.FAILED, resumptions=1)
        calls.record_end("CA1", CallEnd.AGENT_HUNG_UP, resumptions=2)
        assert calls.how_it_ended("CA1") is CallEnd.AGENT_HUNG_UP

    def test_a_refusal_changes_nothing(self, calls: CallStore) -> None:
        """The recorded end stays."""
        calls.try_resume("CA1", 1)
        calls.record_end("CA1", CallEnd.MOVED, resumptions=1)
        assert calls.try_resume("CA1", 1) == 0
        assert calls.how_it_ended("CA1") is CallEnd.MOVED


class TestTurns:
    """CallStore.keep_turns and turns"""

    def test_a_conversation(self, calls: CallStore) -> None:
        """It is read in its order, whatever the order of writing, and without another call's entries."""
        said = {0: turn("Hello, I am the agent.", "agent"), 1: turn("¿Qué?"), 2: turn('{"open": true}', "tool")}
        for index in (1, 2, 0):
            calls.keep_turns({("CA1", index, 0): said[index]})
        calls.keep_turns({("CA10", 0, 0): turn("Something else.")})
        assert list(calls.turns("CA1").items()) == list(said.items())

    def test_nothing_was_said(self, calls: CallStore) -> None:
        """Other items of the call are not transcript entries."""
        calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
        calls.record_end("CA1", CallEnd.MOVED)
        assert calls.turns("CA1") == {}

    def test_many_at_once(self, calls: CallStore) -> None:
        """Entries of several calls, more than fit into one request."""
        calls.keep_turns({(sid, index, 0): turn(f"{sid} {index}") for sid in ("CA1", "CA2") for index in range(40)})
        for sid in ("CA1", "CA2"):
            assert calls.turns(sid) == {index: turn(f"{sid} {index}") for index in range(40)}

    def test_unprocessed_items(self, calls: CallStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """DynamoDB may take part of a batch, and the rest is sent again. If it takes nothing, that is an error."""
        write, taken = calls._client.batch_write_item, [3, 1, 2]

        def take_some(RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
            [(name, requests)] = RequestItems.items()
            some = taken.pop(0)
            write(RequestItems={name: requests[:some]})
            return {"UnprocessedItems": {name: requests[some:]} if requests[some:] else {}}

        monkeypatch.setattr(calls._client, "batch_write_item", take_some)
        calls.keep_turns({("CA1", index, 0): turn(str(index)) for index in range(6)})
        assert list(calls.turns("CA1")) == list(range(6))
        monkeypatch.setattr(calls._client, "batch_write_item", lambda RequestItems: {"UnprocessedItems": RequestItems})  # noqa: N803
        with pytest.raises(StoreUnavailable, match="took none"):
            calls.keep_turns({("CA1", 7, 0): turn("Too much.")})

    def test_a_turn_that_is_cut(self, calls: CallStore) -> None:
        """The later text replaces the earlier one."""
        calls.keep_turns({("CA1", 0, 0): turn("We are open from nine to five.", "agent")})
        calls.keep_turns({("CA1", 0, 0): turn("We are open…", "agent")})
        assert calls.turns("CA1") == {0: turn("We are open…", "agent")}

    def test_a_turn_that_comes_late(self, calls: CallStore) -> None:
        """A worker that was cut off does not overwrite the entries of the next one, which may write them again."""
        calls.keep_turns({("CA1", 0, 1): turn("Hello.")})
        calls.keep_turns({("CA1", 1, 2): turn("As I said,", "agent")})
        calls.keep_turns({("CA1", 1, 1): turn("Late.", "agent")})
        calls.keep_turns({("CA1", 1, 2): turn("As I said, at noon.", "agent")})
        assert [kept.text for kept in calls.turns("CA1").values()] == ["Hello.", "As I said, at noon."]

    def test_turns_that_are_missing(self, calls: CallStore) -> None:
        """The indices show where a resumed call continues, so that it overwrites nothing."""
        for index in (0, 3, 10, 9):
            calls.keep_turns({("CA1", index, 0): turn(str(index))})
        assert list(calls.turns("CA1")) == [0, 3, 9, 10]

    def test_a_long_conversation(self, calls: CallStore) -> None:
        """Of more than 200 entries, only the last are read."""
        for index in range(LAST_TURNS + 5):
            calls.keep_turns({("CA1", index, 0): turn(str(index))})
        assert list(calls.turns("CA1")) == list(range(5, LAST_TURNS + 5))

    def test_more_than_a_page(self, calls: CallStore) -> None:
        """DynamoDB answers with at most 1 MB at a time."""
        for index in range(5):
            calls.keep_turns({("CA1", index, 0): turn("x" * 300_000)})
        assert list(calls.turns("CA1")) == [0, 1, 2, 3, 4]


def test_items_expire(calls: CallStore, table: str, dynamodb: "DynamoDBClient") -> None:
    """Each item with a caller's number or words has the table's time-to-live attribute."""
    calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
    calls.record_end("CA1", CallEnd.AGENT_HUNG_UP)
    calls.try_resume("CA2", 1)
    calls.keep_turns({("CA1", 0, 0): turn("Hello.")})
    items = dynamodb.scan(TableName=table)["Items"]
    assert len(items) == 4
    for item in items:
        assert time.time() < int(item["expires_at"]["N"]) <= time.time() + KEPT_DAYS * 86_400


def test_no_table(dynamodb: "DynamoDBClient") -> None:
    """With a missing table each method raises our error, with the SDK's as the cause."""
    calls = CallStore("no-such-table", dynamodb)
    with pytest.raises(StoreUnavailable, match="claiming a stream token") as error:
        calls.claim_stream("CA1", "token", caller=CALLER, called=CALLED)
    assert error.value.__cause__ is not None
    with pytest.raises(StoreUnavailable, match="recording the end"):
        calls.record_end("CA1", CallEnd.FAILED)
    with pytest.raises(StoreUnavailable, match="reading how a call ended"):
        calls.how_it_ended("CA1")
    with pytest.raises(StoreUnavailable, match="counting a call's resumptions"):
        calls.try_resume("CA1", 1)
    with pytest.raises(StoreUnavailable, match="writing transcript entries"):
        calls.keep_turns({("CA1", 0, 0): turn("Hello.")})
    with pytest.raises(StoreUnavailable, match="reading a call's transcript"):
        calls.turns("CA1")
