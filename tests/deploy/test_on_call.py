"""`make on-call`: storing the roster in the stack's table."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from deploy.on_call import described, main
from local.stack.emulator import Emulator
from local.stack.process import REPOSITORY
from shared.on_call.roster import Roster

STACK = {
    "Resources": {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            },
        }
    },
    "Outputs": {"TableName": {"Value": {"Ref": "Table"}}},
}
EXAMPLE = REPOSITORY / "deploy" / "on_call.example.toml"


@pytest.fixture
def deployed(account: Emulator) -> Iterator[None]:
    """A stack with a table."""
    cloudformation = boto3.client("cloudformation", **account.connection)
    cloudformation.create_stack(StackName="bellhop", TemplateBody=json.dumps(STACK))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="bellhop", WaiterConfig={"Delay": 1})
    yield
    cloudformation.delete_stack(StackName="bellhop")


@pytest.mark.usefixtures("deployed")
def test_the_example_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """At first there is no roster. Storing one prints a description; later it is printed as it was written."""
    assert main([]) == 0
    assert "There is no roster" in capsys.readouterr().out
    assert main([str(EXAMPLE)]) == 0
    assert "tier 2, 120 s to accept: Carla Diaz\n" in capsys.readouterr().out
    assert main([]) == 0
    assert capsys.readouterr().out == EXAMPLE.read_text() + "\n"


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"tiers = []\n[people]", "was not stored:\ntiers: there has to be one at least"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_mistake(tmp_path: Path, body: bytes | None, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error is one line, and the stored roster stays."""
    assert main([str(EXAMPLE)]) == 0
    file = tmp_path / "on_call.toml"
    if body is not None:
        file.write_bytes(body)
    assert main([str(file)]) == 1
    assert complaint in capsys.readouterr().err
    assert main([]) == 0
    assert EXAMPLE.read_text() in capsys.readouterr().out


@pytest.mark.usefixtures("account")
def test_no_stack(capsys: pytest.CaptureFixture[str]) -> None:
    """The table belongs to the stack, so the stack must exist."""
    assert main([]) == 1
    assert "Run `make deploy` first" in capsys.readouterr().err


def test_description_of_a_roster() -> None:
    """It names who is not on duty and who is in no tier, and says when nobody is on duty."""
    text = EXAMPLE.read_text().replace('["carla"]', '["ben"]')
    noon = datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert described(Roster.parse(text), noon).splitlines() == [
        "tier 1, 60 s to accept: Maria Lopez, Ben (not on duty now)",
        "tier 2, 120 s to accept: Ben (not on duty now)",
        "in no tier, so never alerted: Carla Diaz",
    ]
    assert "Nobody is on duty now" in described(Roster.parse(text), datetime(2026, 11, 22, 11, tzinfo=UTC))
