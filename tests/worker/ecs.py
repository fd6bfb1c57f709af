"""Simulates Fargate's services for a task on a real socket: the ECS agent, the metadata, and ECS's API."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
from botocore.config import Config

from worker.service.ecs import EcsTask

CLUSTER = "arn:aws:ecs:us-east-1:111122223333:cluster/bellhop"
ARN = "arn:aws:ecs:us-east-1:111122223333:task/bellhop/0123456789abcdef"
STATE = "/api/0123/task-protection/v1/state"


@dataclass
class Ecs:
    """One task of a service; it belongs to the newest deployment unless a test changes that."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)  # requests to the agent
    described: list[str] = field(default_factory=list)  # requests to ECS's API
    refusal: tuple[int, Any] | None = None  # the agent's answer to every request
    denied: bool = False  # ECS's API denies every request
    task: dict[str, Any] = field(
        default_factory=lambda: {"desiredStatus": "RUNNING", "startedBy": "ecs-svc/1", "group": "service:worker"}
    )
    deployments: list[dict[str, Any]] = field(
        default_factory=lambda: [{"id": "ecs-svc/1", "status": "PRIMARY", "runningCount": 2, "desiredCount": 2}]
    )

    def deploy(self) -> None:
        """Starts a deployment of another version, which replaces this task."""
        self.deployments[0]["status"] = "ACTIVE"
        self.deployments.insert(0, {"id": "ecs-svc/2", "status": "PRIMARY", "runningCount": 2, "desiredCount": 2})

    def connect(self) -> EcsTask:
        client = boto3.client(
            "ecs",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        return EcsTask(f"{self.url}/api/0123", f"{self.url}/v4/0123", client)

    def answer(self, method: str, path: str, target: str, body: dict[str, Any]) -> tuple[int, Any]:
        if (method, path) == ("PUT", STATE):
            self.asked.append(body)
            protection = {"ProtectionEnabled": body["ProtectionEnabled"], "ExpirationDate": None, "TaskArn": ARN}
            return self.refusal or (200, {"protection": protection})
        if (method, path) == ("GET", "/v4/0123/task"):
            return 200, {"Cluster": CLUSTER, "TaskARN": ARN, "Family": "bellhop-worker", "Revision": "7"}
        operation = target.rpartition(".")[2]
        self.described.append(operation)
        if self.denied:
            return 400, {"__type": "AccessDeniedException", "message": "not authorized"}
        if operation == "DescribeTasks" and body == {"cluster": CLUSTER, "tasks": [ARN]}:
            return 200, {"tasks": [{"taskArn": ARN, **self.task}]}
        if operation == "DescribeServices" and body == {"cluster": CLUSTER, "services": ["worker"]}:
            return 200, {"services": [{"serviceName": "worker", "deployments": self.deployments}]}
        return 400, {"__type": "InvalidParameterException", "message": f"{method} {path} {operation} {body}"}


class _Handler(BaseHTTPRequestHandler):
    ecs: Ecs

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target") or ""
        status, answer = self.ecs.answer(self.command, self.path, target, json.loads(text or b"{}"))
        payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815 - as the base class names them

    def log_message(self, *args: object) -> None:
        """Logs nothing."""


@contextmanager
def running_ecs() -> Iterator[Ecs]:
    ecs = Ecs()
    handler = type("Handler", (_Handler,), {"ecs": ecs})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        ecs.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield ecs
        finally:
            server.shutdown()
