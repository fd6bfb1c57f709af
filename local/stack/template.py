"""Translates template.yaml for the emulator: the same resources and properties, in plain CloudFormation.

The emulator has no SAM transform and cannot run containers. So a serverless function becomes the plain function and
event source mapping that SAM would make of it, and resources that only the worker on Fargate needs are left out.
Nothing from the template is repeated here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local.stack.process import REPOSITORY

TEMPLATE = REPOSITORY / "template.yaml"

# What also runs on a laptop. Everything else (network, load balancer, containers, alarms) is not used there.
KEPT_TYPES = (
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
    "AWS::SNS::Subscription",
    "AWS::ApiGatewayV2::",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Serverless::Function",
)
FUNCTION_PROPERTIES = ("Handler", "Role", "Runtime", "MemorySize", "Timeout", "LoggingConfig")
ROLE_SESSION_S = 12 * 3600  # the longest that AWS allows: a stack that stays up must keep its permissions

Resource = dict[str, Any]


class TemplateError(Exception):
    """The template uses a feature of SAM that this module does not translate."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # the only kind of node left
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def read(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template with CloudFormation's short forms written out."""
    template: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - _Loader is a SafeLoader
    return template


@dataclass(frozen=True)
class Environment:
    """Changes to the environment of the functions and the worker on a laptop.

    `replaced` overrides variables, for example addresses of parts that are not deployed, only in those parts for which
    the template sets them. `added` goes to every part.
    """

    replaced: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, str] = field(default_factory=dict)

    def applied(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """A part's variables with the changes applied."""
        return {name: self.replaced.get(name, value) for name, value in variables.items()} | dict(self.added)


def for_emulator(template: Mapping[str, Any], code: Mapping[str, Resource], environment: Environment) -> Resource:
    """The plain CloudFormation template for a laptop; `code` is each function's `Code` by logical name."""
    resources: dict[str, Resource] = {}
    for name, resource in template["Resources"].items():
        kind: str = resource["Type"]
        if kind == "AWS::Serverless::Function":
            shared = template.get("Globals", {}).get("Function", {})
            resources[name] = _function(_merged(shared, resource["Properties"]), code[name], environment)
            for event, source in resource["Properties"].get("Events", {}).items():
                resources[f"{name}{event}"] = _event_source(name, event, source)
            role = resource["Properties"]["Role"]["Fn::GetAtt"][0]
            resources[role] = template["Resources"][role]
        elif kind.startswith(KEPT_TYPES):
            resources[name] = resource
    container = worker_container(template)
    resources[container.role] = _assumable(template["Resources"][container.role])
    variables = environment.applied(container.environment)
    plain = {
        "Conditions": template.get("Conditions", {}),
        "Resources": resources,
        "Outputs": {worker_output(name): {"Value": value} for name, value in variables.items()},
    }
    return {"Parameters": _needed(template, plain), **plain}


def worker_output(variable: str) -> str:
    """The stack output that holds an environment variable of the worker, which runs outside the emulator."""
    return f"Worker{variable.replace('_', '')}"


def _assumable(role: Resource) -> Resource:
    """The worker's role with its own permissions, which this process may assume in Fargate's place."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}}
    policy = {"Version": "2012-10-17", "Statement": [trust]}
    properties = {**role["Properties"], "AssumeRolePolicyDocument": policy, "MaxSessionDuration": ROLE_SESSION_S}
    return {**role, "Properties": properties}


def _needed(template: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """The template's parameters that `plain` refers to; the others belong to resources that were left out."""
    text = json.dumps(plain)
    parameters = template.get("Parameters", {})
    return {
        name: parameter
        for name, parameter in parameters.items()
        if json.dumps({"Ref": name}) in text or f"${{{name}}}" in text
    }


def _function(properties: Mapping[str, Any], code: Resource, environment: Environment) -> Resource:
    plain = {key: properties[key] for key in FUNCTION_PROPERTIES if key in properties}
    variables = properties.get("Environment", {}).get("Variables", {})
    plain |= {"Environment": {"Variables": environment.applied(variables)}, "Code": code}
    return {"Type": "AWS::Lambda::Function", "Properties": plain}


def _event_source(function: str, event: str, source: Mapping[str, Any]) -> Resource:
    if source["Type"] != "SQS":
        raise TemplateError(f"{function}.Events.{event}: only events of type SQS are supported, not {source['Type']}")
    properties = {key: value for key, value in source["Properties"].items() if key != "Queue"}
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            **properties,
            "FunctionName": {"Ref": function},
            "EventSourceArn": source["Properties"]["Queue"],
        },
    }


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """SAM's rule for `Globals`: maps are merged key by key, and the function's own value wins."""
    merged = {**shared, **own}
    for key in shared.keys() & own.keys():
        if isinstance(shared[key], Mapping) and isinstance(own[key], Mapping):
            merged[key] = _merged(shared[key], own[key])
    return merged


def function_folders(template: Mapping[str, Any]) -> dict[str, str]:
    """Each function's folder by its logical name: handler `functions.voice.app.handler`, folder `functions/voice`."""
    return {
        name: "/".join(resource["Properties"]["Handler"].split(".")[:-2])
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def time_to_live(template: Mapping[str, Any]) -> dict[str, str]:
    """The time-to-live attribute of each table that has one, by logical name; the emulator accepts it only by API."""
    return {
        name: specification["AttributeName"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
        and (specification := resource["Properties"].get("TimeToLiveSpecification", {})).get("Enabled")
    }


@dataclass(frozen=True)
class Container:
    """The worker's container: its `environment`, and its `secrets` as variable to key in the stack's secret."""

    environment: Mapping[str, Any]
    secrets: Mapping[str, str]
    role: str  # the logical name of the role that its code runs under

    def filled(self, values: Mapping[str, str]) -> dict[str, str]:
        """The secrets by variable, from `values` by key. Secrets without a value (of a user's tool) are left out."""
        return {name: values[key] for name, key in self.secrets.items() if key in values}


def worker_container(template: Mapping[str, Any]) -> Container:
    """The container of the template's only task definition, the worker's."""
    [task] = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::ECS::TaskDefinition"]
    [container] = task["ContainerDefinitions"]
    return Container(
        environment={variable["Name"]: variable["Value"] for variable in container.get("Environment", [])},
        secrets={
            secret["Name"]: _secret_key(secret["ValueFrom"]["Fn::Sub"]) for secret in container.get("Secrets", [])
        },
        role=task["TaskRoleArn"]["Fn::GetAtt"][0],
    )


def _secret_key(reference: str) -> str:
    """The JSON key in a reference such as `${SecretArn}:SIGNING_KEY::${SecretVersion}`."""
    found = re.search(r":(\w+):[^:]*:[^:]*$", reference)
    if found is None:
        raise ValueError(f"{reference} names no key of the secret; it should read ${{SecretArn}}:KEY:STAGE:VERSION")
    return found[1]
