"""This worker's ECS task: sets its protection, and tells whether a deployment or a scale-in waits for it to stop.

Every method blocks, each request for at most 6 s.
"""

import json
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from shared.aws_clients import translate_errors

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import DeploymentTypeDef, TaskTypeDef

_LIMIT_S: Final = 6  # the agent gives ECS's own API 4 s
_MAX_ANSWER_BYTES: Final = 64 * 1024

# The agent has a link-local address, which no proxy can reach.
_opener = build_opener(ProxyHandler({}))


class EcsUnavailable(Exception):
    """ECS refused a request or did not answer; the text says which."""


@dataclass(frozen=True)
class EcsTask:
    """Calls the ECS agent that runs beside each task, and ECS's API for what the agent does not know."""

    agent_uri: str
    metadata_uri: str
    ecs: "ECSClient"

    def protect(self, minutes: int) -> None:
        """For so many minutes no deployment and no scale-in can stop this task; a repeated call restarts the time."""
        self._set({"ProtectionEnabled": True, "ExpiresInMinutes": minutes})

    def lift(self) -> None:
        """Removes the protection."""
        self._set({"ProtectionEnabled": False})

    def _set(self, state: dict[str, Any]) -> None:
        answer = _ask("PUT", f"{self.agent_uri}/task-protection/v1/state", state)
        # A refusal by ECS, such as DEPLOYMENT_BLOCKED, comes with status 200 and a reason.
        if "protection" not in answer:
            raise EcsUnavailable(f"task protection: {answer.get('failure') or answer.get('error') or answer}")

    def blocks_deployment(self) -> bool:
        """Whether ECS waits to stop this task or another one: after a deployment, or because there are too many.

        ECS does not tell the agent, and a protected task gets neither a signal nor fewer calls.
        """
        own = _ask("GET", f"{self.metadata_uri}/task")
        try:
            task = self._describe(own["Cluster"], own["TaskARN"])
            if task["desiredStatus"] != "RUNNING":
                return True
            newest = self._newest_deployment(own["Cluster"], task["group"].removeprefix("service:"))
            return newest["id"] != task["startedBy"] or newest["runningCount"] > newest["desiredCount"]
        except LookupError as missing:
            raise EcsUnavailable(f"ECS does not say: {missing!r}") from missing

    def _describe(self, cluster: str, arn: str) -> "TaskTypeDef":
        with translate_errors(EcsUnavailable, "describing the task"):
            return self.ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]

    def _newest_deployment(self, cluster: str, service: str) -> "DeploymentTypeDef":
        with translate_errors(EcsUnavailable, "describing the service"):
            described = self.ecs.describe_services(cluster=cluster, services=[service])["services"][0]
        return {deployment["status"]: deployment for deployment in described["deployments"]}["PRIMARY"]


def _ask(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - Fargate's own URL
    try:
        with _opener.open(request, timeout=_LIMIT_S) as response:
            text = response.read(_MAX_ANSWER_BYTES)
    except HTTPError as refusal:
        with refusal:
            raise EcsUnavailable(f"{method} {refusal.code}: {refusal.read(1000)!r}") from refusal
    except (OSError, HTTPException) as failure:
        raise EcsUnavailable(f"{method}: {failure!r}") from failure
    try:
        answer = json.loads(text)
    except ValueError as malformed:
        raise EcsUnavailable(f"{method}: not JSON") from malformed
    return answer if isinstance(answer, dict) else {}
