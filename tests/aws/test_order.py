"""template.yaml: in which order a stack is put up and taken down, and what stays."""

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
    """All that CloudFormation creates before a resource and deletes after it: what it names, and so on."""
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
    """What a value refers to: resources, parameters and pseudo parameters."""
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


def test_no_worker_starts_before_its_way_out(resources: dict[str, Any]) -> None:
    """Without it no image, secret or log is reached, and a first deploy goes back. It goes after the last task, too."""
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
    """The rule that joins its target group to a load balancer, its permissions, and a place for its logs."""
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


def test_no_address_is_given_out_before_the_internet_gateway(resources: dict[str, Any]) -> None:
    """It is created before whatever has a public address in the network, and deleted after it, or AWS refuses both."""
    for name in ("LoadBalancer", "VpcOrigin", "WorkerService"):
        assert "InternetGatewayAttachment" in waited_for(resources, name)


def test_no_alarm_rings_because_the_stack_is_young(resources: dict[str, Any]) -> None:
    """One that takes silence for trouble is created after the part that it listens to, and deleted before it."""
    alarms = [
        name
        for name, resource in resources.items()
        if resource.get("Properties", {}).get("TreatMissingData") == "breaching"
    ]
    assert alarms == ["NoWorkerAlarm"]
    assert "WorkerService" in waited_for(resources, "NoWorkerAlarm")


def test_what_callers_said_outlives_the_stack_but_no_failed_attempt(resources: dict[str, Any]) -> None:
    """A first deploy that goes back takes its empty table along. Nothing else is kept, whatever happens."""
    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in resources.items()
        if "DeletionPolicy" in resource or "UpdateReplacePolicy" in resource
    }
    assert policies == {"Table": ("RetainExceptOnCreate", "Retain")}
