"""The whole stack in the emulator, with a domain and without: its references and both entry points."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import WaiterError

from local.stack import template
from local.stack.emulator import Emulator

# Resource types that the emulator does not support, and the values that replace references to them.
UNKNOWN_TYPES = (
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudFront::VpcOrigin",
    "AWS::EC2::SecurityGroupIngress",
)
STAND_INS = {
    json.dumps({"Fn::GetAtt": ["Vpc", "CidrBlock"]}): json.dumps("10.20.0.0/16"),
    json.dumps({"Fn::GetAtt": ["VpcOrigin", "Id"]}): json.dumps("vo_1"),
}
CHOSEN = {
    "OnCallNumbers": "+15550001111",
    "AlertFrom": "+15550100200",
    "AlertEmail": "desk@example.com",
    "AlarmEmail": "ops@example.com",
    "ImageUri": "bellhop-worker@sha256:" + "a" * 64,
    "CloudFrontPrefixList": "pl-1234",
}


@pytest.fixture(scope="module")
def account() -> Iterator[Emulator]:
    """A separate emulator for this module, with a secret and a domain's zone."""
    with Emulator() as emulator:
        yield emulator


def known(whole: Mapping[str, Any]) -> Any:
    """The template without the resources that the emulator does not support."""
    kept = {
        name: {key: value for key, value in resource.items() if key != "DependsOn"}
        for name, resource in whole["Resources"].items()
        if resource["Type"] not in UNKNOWN_TYPES and "Metrics" not in resource.get("Properties", {})  # metric maths
    }
    text = json.dumps({**whole, "Resources": kept})
    for reference, value in STAND_INS.items():
        text = text.replace(reference, value)
    return json.loads(text)


def deploy(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, name: str, **chosen: str) -> dict[str, str]:
    """Creates the stack; returns its outputs and its resources' physical names."""
    secrets = boto3.client("secretsmanager", **emulator.connection)
    values = dict.fromkeys(("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SIGNING_KEY", "OPENAI_API_KEY"), "0" * 32)
    secret = secrets.create_secret(Name=name, SecretString=json.dumps(values))
    parameters = {**CHOSEN, **chosen, "SecretArn": secret["ARN"], "SecretVersion": secret["VersionId"]}
    whole = known(template.read())
    monkeypatch.setattr(template, "KEPT_TYPES", ("AWS::",))
    code = {function: {"ZipFile": "def handler(event, context): ..."} for function in template.function_folders(whole)}
    plain = template.for_emulator(whole, code, template.Environment())
    body = {**plain, "Rules": whole["Rules"], "Parameters": whole["Parameters"], "Outputs": whole["Outputs"]}
    cloudformation = boto3.client("cloudformation", **emulator.connection)
    cloudformation.create_stack(
        StackName=name,
        TemplateURL=uploaded(emulator, name, json.dumps(body)),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    return {**physical, **{output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}}


def uploaded(emulator: Emulator, name: str, body: str) -> str:
    """Returns the template's URL in S3, as SAM does: CloudFormation takes at most 51,200 bytes in a request."""
    s3 = boto3.client("s3", **emulator.connection)
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="template.json", Body=body.encode())
    return f"https://s3.amazonaws.com/{name}/template.json"


def stream_urls(emulator: Emulator, stack: Mapping[str, str]) -> set[str]:
    """The worker's address in each part's settings."""
    function = boto3.client("lambda", **emulator.connection).get_function_configuration(
        FunctionName=stack["VoiceFunction"]
    )
    ecs = boto3.client("ecs", **emulator.connection)
    [container] = ecs.describe_task_definition(taskDefinition=stack["WorkerTask"])["taskDefinition"][
        "containerDefinitions"
    ]
    worker = {variable["name"]: variable["value"] for variable in container["environment"]}
    return {function["Environment"]["Variables"]["STREAM_URL"], worker["STREAM_URL"], stack["StreamUrl"]}


def test_with_a_domain(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public load balancer with the domain's certificate."""
    route53 = boto3.client("route53", **account.connection)
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    domain = {"DomainName": "voice.example.com", "HostedZoneId": zone.rpartition("/")[2]}
    stack = deploy(account, monkeypatch, "with-a-domain", **domain)
    assert stream_urls(account, stack) == {"wss://voice.example.com/media-stream"}
    elb = boto3.client("elbv2", **account.connection)
    [balancer] = elb.describe_load_balancers(LoadBalancerArns=[stack["LoadBalancer"]])["LoadBalancers"]
    [listener] = elb.describe_listeners(LoadBalancerArn=stack["LoadBalancer"])["Listeners"]
    assert balancer["Scheme"] == "internet-facing"
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert "Distribution" not in stack


def test_without_a_domain(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFront's name and an internal load balancer. A roster may replace the on-call numbers."""
    roster = {"OnCallNumbers": "", "AlertEmail": "", "OnCallRoster": "yes"}
    stack = deploy(account, monkeypatch, "without-a-domain", **roster)
    cloudfront = boto3.client("cloudfront", **account.connection)
    name = cloudfront.get_distribution(Id=stack["Distribution"])["Distribution"]["DomainName"]
    assert stream_urls(account, stack) == {f"wss://{name}/media-stream"}
    elb = boto3.client("elbv2", **account.connection)
    [balancer] = elb.describe_load_balancers(LoadBalancerArns=[stack["LoadBalancer"]])["LoadBalancers"]
    [listener] = elb.describe_listeners(LoadBalancerArn=stack["LoadBalancer"])["Listeners"]
    assert balancer["Scheme"] == "internal"
    assert (listener["Protocol"], listener["Port"]) == ("HTTP", 80)
    assert "Certificate" not in stack
    kept = cloudfront.get_distribution_config(Id=stack["Distribution"])["DistributionConfig"]["CustomErrorResponses"]
    assert {(error["ErrorCode"], error["ErrorCachingMinTTL"]) for error in kept["Items"]} >= {(503, 0), (502, 0)}
    lambda_ = boto3.client("lambda", **account.connection)
    mappings = lambda_.list_event_source_mappings(FunctionName=stack["AlertsFunction"])["EventSourceMappings"]
    assert [mapping["ScalingConfig"] for mapping in mappings] == [{"MaximumConcurrency": 2}] * 2
    ecs = boto3.client("ecs", **account.connection)
    task = ecs.describe_task_definition(taskDefinition=stack["WorkerTask"])["taskDefinition"]
    assert task["containerDefinitions"][0]["logConfiguration"]["options"]["mode"] == "non-blocking"


def test_a_first_deploy_that_fails_leaves_no_table(account: Emulator) -> None:
    """Repeated attempts leave no tables behind; deleting a stack that was created keeps its table."""
    resources = template.read()["Resources"]
    table = {"Table": resources["Table"]}
    listener = {"LoadBalancerArn": "none", "DefaultActions": []}
    fails = {"Type": "AWS::ElasticLoadBalancingV2::Listener", "DependsOn": "Table", "Properties": listener}
    cloudformation = boto3.client("cloudformation", **account.connection)
    dynamodb = boto3.client("dynamodb", **account.connection)

    def deployed(name: str, **more: Any) -> None:
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {**table, **more}}))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    before = dynamodb.list_tables()["TableNames"]
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        deployed("fails", Fails=fails)
    assert dynamodb.list_tables()["TableNames"] == before
    deployed("stands")
    cloudformation.delete_stack(StackName="stands")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="stands", WaiterConfig={"Delay": 1})
    assert len(dynamodb.list_tables()["TableNames"]) == len(before) + 1


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        ({"OnCallNumbers": "", "AlertFrom": "", "AlertEmail": ""}, "Nobody would be alerted"),
        ({"AlertFrom": ""}, "Give it as AlertFrom"),
        ({"AlertFrom": "", "OnCallNumbers": "", "OnCallRoster": "yes"}, "get their SMS from a Twilio number"),
        ({"DomainName": "voice.example.com"}, "needs the HostedZoneId"),
        ({"CloudFrontPrefixList": ""}, "Give CloudFrontPrefixList"),
    ],
)
def test_invalid_parameters_are_refused(
    account: Emulator, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], complaint: str
) -> None:
    """The deploy fails, instead of the first escalation."""
    cloudformation = boto3.client("cloudformation", **account.connection)
    with pytest.raises(cloudformation.exceptions.ClientError, match=complaint):
        deploy(account, monkeypatch, f"refused-{len(complaint)}", **chosen)
