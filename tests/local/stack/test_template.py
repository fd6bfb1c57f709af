"""The translation of the template for the emulator."""

from pathlib import Path
from typing import Any

import pytest

from local.stack import template
from local.stack.template import worker_container

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
  AlertsRole: { Type: AWS::IAM::Role }
  WorkerRole: { Type: AWS::IAM::Role, Properties: { Policies: [worker], AssumeRolePolicyDocument: by-fargate } }
  StartRole: { Type: AWS::IAM::Role }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      TaskRoleArn: !GetAtt WorkerRole.Arn
      ExecutionRoleArn: !GetAtt StartRole.Arn
      ContainerDefinitions:
        - Environment:
            - { Name: TABLE_NAME, Value: !Ref Table }
            - { Name: STREAM_URL, Value: !Sub "wss://${Distribution.DomainName}/media-stream" }
          Secrets: [{ Name: OPENAI_API_KEY, ValueFrom: !Sub "${SecretArn}:OPENAI_KEY::${SecretVersion}" }]
  Alerts:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.alerts.app.handler
      Timeout: 20
      Role: !GetAtt AlertsRole.Arn
      Metadata: {}
      Environment: { Variables: { ALERT_FROM: !If [A, "", !GetAtt Queue.Arn] } }
      Events: { Escalations: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn, BatchSize: 3 } } }
Outputs: { Worker: { Value: !GetAtt Distribution.DomainName } }
"""


@pytest.fixture
def small(tmp_path: Path) -> dict[str, Any]:
    """A template with one function, one table and one resource that a laptop does not have."""
    (tmp_path / "template.yaml").write_text(SMALL)
    return template.read(tmp_path / "template.yaml")


def test_short_forms_are_written_out(small: dict[str, Any]) -> None:
    """`!Ref`, `!GetAtt a.b` and nested forms become CloudFormation's JSON."""
    variables = small["Resources"]["Alerts"]["Properties"]["Environment"]["Variables"]
    assert variables == {"ALERT_FROM": {"Fn::If": ["A", "", {"Fn::GetAtt": ["Queue", "Arn"]}]}}
    assert small["Globals"]["Function"]["Environment"]["Variables"]["TABLE_NAME"] == {"Ref": "Table"}


def test_a_serverless_function_becomes_a_plain_one(small: dict[str, Any]) -> None:
    """Globals are merged key by key, SAM's own properties are removed, and its event becomes a mapping."""
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
            "Role": {"Fn::GetAtt": ["AlertsRole", "Arn"]},
        },
    }
    assert resources["AlertsEscalations"]["Properties"] == {
        "BatchSize": 3,
        "FunctionName": {"Ref": "Alerts"},
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
    }


def test_resources_that_a_laptop_lacks_are_left_out(small: dict[str, Any]) -> None:
    """No distribution, no container, nothing for its start, and none of the template's outputs."""
    plain = template.for_emulator(small, {"Alerts": {}}, template.Environment())
    assert set(plain["Resources"]) == {"Table", "Alerts", "AlertsRole", "AlertsEscalations", "WorkerRole"}
    assert "Worker" not in plain["Outputs"]


def test_the_workers_environment_becomes_outputs(small: dict[str, Any]) -> None:
    """The emulator resolves it like the functions'; this process may assume the worker's role."""
    environment = template.Environment(replaced={"STREAM_URL": "ws://here"}, added={"ADDED": "2"})
    plain = template.for_emulator(small, {"Alerts": {}}, environment)
    assert plain["Outputs"] == {
        template.worker_output("TABLE_NAME"): {"Value": {"Ref": "Table"}},
        template.worker_output("STREAM_URL"): {"Value": "ws://here"},
        template.worker_output("ADDED"): {"Value": "2"},
    }
    role = plain["Resources"]["WorkerRole"]["Properties"]
    assert role["Policies"] == ["worker"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": {"Ref": "AWS::AccountId"}}


def test_the_workers_secrets_are_known_by_their_keys(small: dict[str, Any]) -> None:
    """The variable and the key in the secret may differ; a reference without a key is an error."""
    assert worker_container(small).secrets == {"OPENAI_API_KEY": "OPENAI_KEY"}
    [container] = small["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    container["Secrets"][0]["ValueFrom"]["Fn::Sub"] = "${SecretArn}"
    with pytest.raises(ValueError, match="names no key"):
        worker_container(small)


def test_a_tools_own_secret_may_be_missing(small: dict[str, Any]) -> None:
    """On a laptop its value comes from the environment, by its key in the secret; else it is not set."""
    [container] = small["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    container["Secrets"] += [{"Name": "CRM", "ValueFrom": {"Fn::Sub": "${SecretArn}:CRM_KEY::${SecretVersion}"}}]
    worker = worker_container(small)
    assert worker.filled({"OPENAI_KEY": "sk-test", "HOME": "/root"}) == {"OPENAI_API_KEY": "sk-test"}
    assert worker.filled({"OPENAI_KEY": "sk-test", "CRM_KEY": "own"}) == {"OPENAI_API_KEY": "sk-test", "CRM": "own"}


def test_only_parameters_in_use_are_kept(small: dict[str, Any]) -> None:
    """The worker's image is not required, since the worker is not deployed."""
    small["Parameters"] = {name: {"Type": "String"} for name in ("ImageUri", "Stage", "Name", "Domain")}
    small["Conditions"] = {"HasDomain": {"Fn::Equals": [{"Ref": "Domain"}, ""]}}
    small["Resources"]["Table"]["Properties"] |= {"TableName": {"Fn::Sub": "${Stage}-calls"}, "Tags": [{"Ref": "Name"}]}
    plain = template.for_emulator(small, {"Alerts": {}}, template.Environment())
    assert set(plain["Parameters"]) == {"Stage", "Name", "Domain"}


def test_an_event_it_does_not_know_is_refused(small: dict[str, Any]) -> None:
    """A new kind of event in the template must not be dropped silently."""
    small["Resources"]["Alerts"]["Properties"]["Events"]["Nightly"] = {"Type": "Schedule", "Properties": {}}
    with pytest.raises(template.TemplateError, match=r"Alerts\.Events\.Nightly: only events of type SQS"):
        template.for_emulator(small, {"Alerts": {}}, template.Environment())


def test_folders_and_time_to_live_are_read_from_the_template(small: dict[str, Any]) -> None:
    """The folder comes from the handler's name, the expiry attribute from the table."""
    assert template.function_folders(small) == {"Alerts": "functions/alerts"}
    assert template.time_to_live(small) == {"Table": "expires_at"}
