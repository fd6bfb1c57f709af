"""What the stand-in for SAM's transform makes of a template."""

from pathlib import Path
from typing import Any

import pytest

from local import template

SMALL = """
Globals:
  Function:
    Runtime: python3.13
    CodeUri: .
    Environment:
      Variables: { TABLE_NAME: !Ref Table, STREAM_URL: !Sub "wss://${Distribution.DomainName}/media-stream" }
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties: { TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true } }
  Distribution: { Type: AWS::CloudFront::Distribution }
  Alerts:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.alerts.app.handler
      Timeout: 20
      Policies: [{ Statement: [] }]
      Environment: { Variables: { ALERT_FROM: !If [A, "", !GetAtt Queue.Arn] } }
      Events: { Escalations: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn, BatchSize: 3 } } }
Outputs: { Worker: { Value: !GetAtt Distribution.DomainName } }
"""


@pytest.fixture
def small(tmp_path: Path) -> dict[str, Any]:
    """A template with one function, one table and one resource that no laptop has."""
    (tmp_path / "template.yaml").write_text(SMALL)
    return template.read(tmp_path / "template.yaml")


def test_short_forms_are_written_out(small: dict[str, Any]) -> None:
    """`!Ref`, `!GetAtt a.b` and nested forms become what CloudFormation's JSON knows."""
    variables = small["Resources"]["Alerts"]["Properties"]["Environment"]["Variables"]
    assert variables == {"ALERT_FROM": {"Fn::If": ["A", "", {"Fn::GetAtt": ["Queue", "Arn"]}]}}
    assert small["Globals"]["Function"]["Environment"]["Variables"]["TABLE_NAME"] == {"Ref": "Table"}


def test_a_serverless_function_becomes_a_plain_one(small: dict[str, Any]) -> None:
    """Globals are merged key by key, SAM's own properties go, and its event becomes a mapping."""
    environment = template.Environment(replaced={"STREAM_URL": "ws://here", "OTHER": "1"}, added={"ADDED": "2"})
    resources = template.for_emulator(small, {"Alerts": {"ZipFile": "x"}}, environment)["Resources"]
    assert resources["Alerts"] == {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Handler": "functions.alerts.app.handler",
            "Runtime": "python3.13",
            "Timeout": 20,
            "Environment": {
                "Variables": {
                    "TABLE_NAME": {"Ref": "Table"},
                    "STREAM_URL": "ws://here",
                    "ADDED": "2",
                    "ALERT_FROM": {"Fn::If": ["A", "", {"Fn::GetAtt": ["Queue", "Arn"]}]},
                }
            },
            "Code": {"ZipFile": "x"},
            "Role": template.ROLE,
        },
    }
    assert resources["AlertsEscalations"]["Properties"] == {
        "BatchSize": 3,
        "FunctionName": {"Ref": "Alerts"},
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
    }


def test_what_a_laptop_has_not_is_left_out(small: dict[str, Any]) -> None:
    """No distribution, and no output that names one."""
    plain = template.for_emulator(small, {"Alerts": {}}, template.Environment())
    assert set(plain["Resources"]) == {"Table", "Alerts", "AlertsEscalations"}
    assert "Outputs" not in plain


def test_only_parameters_that_somebody_needs_are_kept(small: dict[str, Any]) -> None:
    """Nobody is asked for the image of a worker that is not deployed."""
    small["Parameters"] = {name: {"Type": "String"} for name in ("ImageUri", "Stage", "Name", "Domain")}
    small["Conditions"] = {"HasDomain": {"Fn::Equals": [{"Ref": "Domain"}, ""]}}
    small["Resources"]["Table"]["Properties"] |= {"TableName": {"Fn::Sub": "${Stage}-calls"}, "Tags": [{"Ref": "Name"}]}
    plain = template.for_emulator(small, {"Alerts": {}}, template.Environment())
    assert set(plain["Parameters"]) == {"Stage", "Name", "Domain"}


def test_an_event_it_does_not_know_is_refused(small: dict[str, Any]) -> None:
    """A new kind of event in the template must not be dropped in silence."""
    small["Resources"]["Alerts"]["Properties"]["Events"]["Nightly"] = {"Type": "Schedule", "Properties": {}}
    with pytest.raises(template.TemplateError, match=r"Alerts\.Events\.Nightly: only events of type SQS"):
        template.for_emulator(small, {"Alerts": {}}, template.Environment())


def test_folders_and_time_to_live_are_read_from_the_template(small: dict[str, Any]) -> None:
    """The handler's name tells the folder; the attribute that expires is the table's own."""
    assert template.function_folders(small) == {"Alerts": "functions/alerts"}
    assert template.time_to_live(small) == {"Table": "expires_at"}
