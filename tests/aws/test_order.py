"""template.yaml: in which order a stack is created and deleted, and what stays."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import template


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """The template's resources."""
    resources: dict[str, Any] = template.read()["Resources"]
    return resources


def waited_for(resources: dict[str, Any], name: str) -> set[str]:
    """The names of all resources that CloudFormation creates before this one and deletes after it."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        resource = resources[ahead.pop()]
        depends_on = resource.get("DependsOn", [])
        named = [depends_on] if isinstance(depends_on, str) else depends_on
        new = {*named, *references(resource.get("Properties", {}))} & resources.keys() - found
        ahead += new
        found |= new
    return found


def references(node: Any) -> Iterator[str]:
    """The names that a value refers to: resources, parameters and pseudo parameters."""
    if isinstance(node, list):
        for value in node:
            yield from references(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            match key, value:
                case "Ref", str():
                    yield value
                case "Fn::GetAtt", [str() as resource, *_]:
                    yield resource
                case "Fn::Sub", str():
                    yield from re.findall(r"\$\{(\w+)[.}]", value)
                case _:
                    yield from references(value)


def test_no_worker_starts_before_its_routes(resources: dict[str, Any]) -> None:
    """Without its routes a task reaches no image, secret or log, and a first deploy is rolled back."""
    network = resources["WorkerService"]["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    ways = {
        name
        for name, resource in resources.items()
        if resource["Type"] in ("AWS::EC2::Route", "AWS::EC2::VPCEndpoint", "AWS::EC2::VPCGatewayAttachment")
        or (
            resource["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
            and resource["Properties"]["SubnetId"] in network["Subnets"]
        )
    }
    assert ways >= {"InternetRoute", "PublicSubnetARoutes", "PublicSubnetBRoutes", "S3Endpoint", "DynamoDbEndpoint"}
    assert ways <= waited_for(resources, "WorkerService")


def test_no_worker_starts_before_what_it_needs(resources: dict[str, Any]) -> None:
    """It needs the rule that connects its target group to a load balancer, its permissions, and its log group."""
    needed = {
        "WorkerRule",
        "WorkerExecutionRole",
        "WorkerRole",
        "WorkerGroup",
        "WorkerLogs",
        "Table",
        "EscalationQueue",
    }
    assert needed <= waited_for(resources, "WorkerService")


def test_no_public_address_before_the_internet_gateway(resources: dict[str, Any]) -> None:
    """AWS refuses public addresses without a gateway, so it is created before them and deleted after them."""
    for name in ("LoadBalancer", "VpcOrigin", "WorkerService"):
        assert "InternetGatewayAttachment" in waited_for(resources, name)


def test_no_alarm_rings_while_the_stack_is_created(resources: dict[str, Any]) -> None:
    """An alarm that rings without data is created after the part that it watches, and deleted before it."""
    alarms = [
        name
        for name, resource in resources.items()
        if resource.get("Properties", {}).get("TreatMissingData") == "breaching"
    ]
    assert alarms == ["NoWorkerAlarm"]
    assert "WorkerService" in waited_for(resources, "NoWorkerAlarm")


def test_the_table_is_kept_unless_the_first_deploy_fails(resources: dict[str, Any]) -> None:
    """A rolled-back first deploy deletes its empty table. No other resource is kept."""
    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in resources.items()
        if "DeletionPolicy" in resource or "UpdateReplacePolicy" in resource
    }
    assert policies == {"Table": ("RetainExceptOnCreate", "Retain")}
