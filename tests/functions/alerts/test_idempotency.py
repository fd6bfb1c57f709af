"""Idempotency of alerts, against the emulator's table."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from functions.alerts.channels import AlertNotAccepted
from functions.alerts.idempotency import REMEMBERED_S, SendOnce
from tests.functions.alerts.lambda_events import Context

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = ["CA1-1", "sms +15550000001"]


class Sending:
    """A `send` that counts its calls and fails when told to."""

    def __init__(self) -> None:
        self.times = 0
        self.fails = False

    def __call__(self) -> str:
        self.times += 1
        if self.fails:
            raise AlertNotAccepted("not this time")
        return f"SM{self.times}"


@pytest.fixture
def send_once(table: str, dynamodb: "DynamoDBClient") -> SendOnce:
    """With nothing sent yet."""
    send_once = SendOnce(table, dynamodb)
    send_once.begin(Context())
    return send_once


@pytest.fixture
def sending() -> Sending:
    """The `send` to be called once."""
    return Sending()


def test_once(send_once: SendOnce, sending: Sending) -> None:
    """The second call sends nothing and returns what the first returned. Another key is another alert."""
    assert [send_once(KEY, sending), send_once(KEY, sending), send_once([*KEY, "2"], sending)] == ["SM1", "SM1", "SM2"]


def test_from_another_process(send_once: SendOnce, sending: Sending, table: str, dynamodb: "DynamoDBClient") -> None:
    """The table keeps what was sent, not the process."""
    send_once(KEY, sending)
    another = SendOnce(table, dynamodb)
    another.begin(Context())
    assert another(KEY, sending) == "SM1"
    assert sending.times == 1


def test_a_failure_may_be_tried_again(send_once: SendOnce, sending: Sending) -> None:
    """Only what was accepted counts as sent."""
    sending.fails = True
    for _ in range(2):
        with pytest.raises(AlertNotAccepted, match="not this time"):
            send_once(KEY, sending)
    sending.fails = False
    assert send_once(KEY, sending) == "SM3"


def test_at_the_same_time(send_once: SendOnce, sending: Sending) -> None:
    """While one sends, others neither send it too nor report it as sent."""
    started, go_on = threading.Event(), threading.Event()

    def slowly() -> str:
        started.set()
        go_on.wait()
        return sending()

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(send_once, KEY, slowly)
        started.wait()
        try:
            with pytest.raises(AlertNotAccepted, match="IdempotencyAlreadyInProgressError"):
                send_once(KEY, sending)
        finally:
            go_on.set()
        assert first.result() == "SM1"


def test_many_keys_at_the_same_time(send_once: SendOnce, sending: Sending) -> None:
    """One person's alert does not block another's."""
    keys = [["CA1-1", f"sms {number}"] for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        first = set(threads.map(lambda key: send_once(key, sending), keys))
        again = set(threads.map(lambda key: send_once(key, sending), keys))
    assert len(first) == 20
    assert first == again


def test_a_crash_half_way(send_once: SendOnce, sending: Sending) -> None:
    """An invocation that died half-way blocks the next one only until its own time limit has passed."""

    def crash() -> str:
        raise KeyboardInterrupt  # no layer catches it as a failure and cleans up

    send_once.begin(Context(remaining_ms=0))
    with pytest.raises(KeyboardInterrupt):
        send_once(KEY, crash)
    send_once.begin(Context())
    time.sleep(0.01)
    assert send_once(KEY, sending) == "SM1"


def test_an_accepted_alert_that_is_not_recorded(
    send_once: SendOnce, sending: Sending, table: str, dynamodb: "DynamoDBClient", caplog: pytest.LogCaptureFixture
) -> None:
    """It counts as accepted although the table could not be told; otherwise it would be sent again."""

    def send_and_lose_the_table() -> str:
        dynamodb.delete_table(TableName=table)
        return sending()

    assert send_once(KEY, send_and_lose_the_table) == "SM1"
    assert "may be sent again" in caplog.text


def test_no_table(dynamodb: "DynamoDBClient", sending: Sending) -> None:
    """Without the table nothing is sent, since it is not known what was sent already."""
    send_once = SendOnce("no-such-table", dynamodb)
    send_once.begin(Context())
    with pytest.raises(AlertNotAccepted, match="not sent: IdempotencyPersistenceLayerError"):
        send_once(KEY, sending)
    assert sending.times == 0


def test_what_is_remembered(send_once: SendOnce, sending: Sending, table: str, dynamodb: "DynamoDBClient") -> None:
    """As long as the dead-letter queue may deliver a message again, and without the phone number."""
    assert send_once._records.configured  # before the first of several threads asks
    send_once(KEY, sending)
    (item,) = dynamodb.scan(TableName=table)["Items"]
    assert 0 < int(item["expires_at"]["N"]) - time.time() - REMEMBERED_S + 60 < 120
    assert len(item["sk"]["S"]) == len("alert#") + 2 * sha256().digest_size
    assert "15550000001" not in json.dumps(item)
