"""Compares the requests that the AWS SDK makes with the permissions of the template's roles.

The emulator enforces roles, but not `dynamodb:LeadingKeys`, the condition that limits a part to its own items. So the
requests are recorded in the SDK, and checked with the emulator's policy engine and their partition keys.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ministack.core.iam_evaluator import (  # type: ignore[import-untyped]
    EvalContext,
    evaluate,
    parse_policy_document,
)

from local.stack import template

TABLE = "Table"
# The only operations that a role may allow on the table: each names its items, so that AWS can check the condition on
# their partition keys.
OPERATIONS = {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "BatchWriteItem"}


@dataclass(frozen=True)
class Asked:
    """One request: an action, the logical name of its resource, and the partition keys that it names."""

    action: str
    resource: str
    keys: frozenset[str] = frozenset()


@dataclass
class Recorder:
    """Records the requests of the clients given to `listen`. `queue` returns a queue's logical name for its URL."""

    queue: Callable[[str], str]
    asked: set[Asked] = field(default_factory=set)

    def listen(self, client: Any) -> Any:
        """Records the client's requests from now on; returns the client."""
        client.meta.events.register("provide-client-params.*.*", self._note)
        return client

    def _note(self, params: Mapping[str, Any], model: Any, **_: object) -> None:
        match model.service_model.service_name:
            case "dynamodb":
                self.asked.add(of_dynamodb(model.name, params))
            case "sqs":
                self.asked.add(Asked(f"sqs:{model.name}", self.queue(params["QueueUrl"])))


def of_dynamodb(operation: str, params: Mapping[str, Any]) -> Asked:
    """A request to DynamoDB, with its partition keys."""
    match operation:
        case "GetItem" | "UpdateItem" | "DeleteItem":
            keys = {params["Key"]["pk"]["S"]}
        case "PutItem":
            keys = {params["Item"]["pk"]["S"]}
        case "Query":
            keys = {_queried(params)}
        case "BatchWriteItem":
            [requests] = params["RequestItems"].values()
            keys = {
                (r["PutRequest"]["Item"] if "PutRequest" in r else r["DeleteRequest"]["Key"])["pk"]["S"]
                for r in requests
            }
        case _:
            raise AssertionError(f"{operation} is new here: say which partition keys it names")
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    return Asked(f"dynamodb:{operation}", f"{TABLE}{index}", frozenset(keys))


def _queried(params: Mapping[str, Any]) -> str:
    """The partition key of a query; its condition comes first in all our queries."""
    found = re.match(r"#?\w+ = (:\w+)", params["KeyConditionExpression"])
    assert found is not None, params["KeyConditionExpression"]
    return str(params["ExpressionAttributeValues"][found[1]]["S"])


def allows(role: str, asked: Asked) -> bool:
    """Whether a role, given by its logical name, allows the request."""
    context = EvalContext(
        principal_arn=f"arn:aws:iam::000000000000:role/{role}",
        principal_type="AssumedRole",
        principal_account="000000000000",
        action=asked.action,
        resource_arn=_arn(asked.resource),
        region="us-east-1",
        service_context={"dynamodb:leadingkeys": sorted(asked.keys)} if asked.keys else {},
    )
    policy = parse_policy_document({"Version": "2012-10-17", "Statement": list(statements(role))})
    return bool(evaluate(context, [policy]).decision == "Allow")


def statements(role: str) -> Iterator[dict[str, Any]]:
    """The policy statements of a role, with resources as ARNs made of logical names."""
    for policy in _resources()[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            named = statement["Resource"]
            yield {**statement, "Resource": [_named(one) for one in (named if isinstance(named, list) else [named])]}


@cache
def _resources() -> dict[str, Any]:
    resources: dict[str, Any] = template.read()["Resources"]
    return resources


def _named(resource: Any) -> str:
    match resource:
        case {"Fn::GetAtt": [str() as name, "Arn"]} | {"Ref": str() as name}:
            return _arn(name)
        case {"Fn::Sub": str() as text}:
            return re.sub(r"\$\{(\w+)\.Arn\}", lambda found: _arn(found[1]), text)
        case str():
            return resource
    raise AssertionError(f"an unknown way to name a resource: {resource}")


def _arn(name: str) -> str:
    return f"arn:aws:any:us-east-1:000000000000:{name}"
