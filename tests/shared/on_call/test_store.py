"""The roster in the table, against the emulator."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.calls.store import StoreUnavailable
from shared.on_call.roster import THE_TOPIC, RosterError
from shared.on_call.settings import OnCallSettings
from shared.on_call.store import KEY, READ_EVERY_S, NobodyOnCall, RosterStore
from tests.shared.on_call.test_roster import ARN, TEXT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def chosen(**settings: Any) -> OnCallSettings:
    """Settings that name who is on call, beside those that every part needs."""
    needed: dict[str, Any] = {
        "twilio_account_sid": "AC1",
        "twilio_auth_token": "token",
        "public_url": "https://api.example",
        "signing_key": "key",
        "reminder_queue_url": "https://sqs.example/reminders",
    }
    return OnCallSettings(table_name="table", **needed, **settings)


NOBODY = chosen()
ANNA = chosen(on_call_numbers=("+15550000001",), alert_from="+15559999999")


@pytest.fixture
def rosters(table: str, dynamodb: "DynamoDBClient") -> RosterStore:
    """The roster store of a new table, without a roster."""
    return RosterStore(table, dynamodb, "alerts")


def test_what_was_written(rosters: RosterStore) -> None:
    """It replaces the settings; its text is stored unchanged."""
    assert list(rosters.roster(ANNA).people) == ["on-call-1"]
    assert rosters.text() is None
    assert rosters.write(TEXT) == rosters.roster(ANNA) == rosters.roster(NOBODY)
    assert rosters.text() == TEXT


def test_the_settings_topic_gets_all_alerts(rosters: RosterStore) -> None:
    """With a roster as well as without."""
    topic = chosen(alert_topic_arn=ARN)
    assert list(rosters.roster(topic).people) == [THE_TOPIC]
    rosters.write(TEXT)
    assert rosters.roster(topic).person(THE_TOPIC) is not None


def test_a_mistake(rosters: RosterStore) -> None:
    """The previous roster stays."""
    rosters.write(TEXT)
    with pytest.raises(RosterError, match="tiers: is missing"):
        rosters.write(TEXT.replace("tiers", "tears"))
    assert rosters.text() == TEXT


def test_nobody(rosters: RosterStore) -> None:
    """Neither a roster nor people in the settings is an error."""
    with pytest.raises(NobodyOnCall, match="no roster, and neither ON_CALL_NUMBERS nor ALERT_TOPIC_ARN"):
        rosters.roster(NOBODY)


def test_how_often_it_is_read(
    rosters: RosterStore, table: str, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A roster that another process wrote is read after 30 s."""
    now = 1000.0
    monkeypatch.setattr("shared.on_call.store.time.monotonic", lambda: now)
    rosters.roster(ANNA)
    RosterStore(table, dynamodb, "alerts").write(TEXT)
    now += READ_EVERY_S - 1
    assert list(rosters.roster(ANNA).people) == ["on-call-1"]
    now += 2
    assert "maria" in rosters.roster(ANNA).people


def test_a_roster_that_cannot_be_used(
    rosters: RosterStore, table: str, dynamodb: "DynamoDBClient", capsys: pytest.CaptureFixture[str]
) -> None:
    """The people in the settings are alerted instead; without any it is an error. A metric counts both."""
    item: Any = {**KEY, "body": {"S": TEXT.replace("tiers", "tears")}}
    dynamodb.put_item(TableName=table, Item=item)
    assert list(rosters.roster(ANNA).people) == ["on-call-1"]
    with pytest.raises(RosterError):
        RosterStore(table, dynamodb, "alerts").roster(NOBODY)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line.get("InvalidRosters", [0])[0] for line in metrics) == 2


def test_no_table(dynamodb: "DynamoDBClient") -> None:
    """A missing table raises our error."""
    rosters = RosterStore("no-such-table", dynamodb, "alerts")
    with pytest.raises(StoreUnavailable, match="reading the roster"):
        rosters.roster(ANNA)
    with pytest.raises(StoreUnavailable, match="writing the roster"):
        rosters.write(TEXT)
