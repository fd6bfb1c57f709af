"""The worker's requests to the ECS agent and to ECS, and its handling of the answers."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.worker.ecs import ARN, Ecs, running_ecs
from worker.service.ecs import EcsUnavailable


@pytest.fixture
def ecs() -> Iterator[Ecs]:
    with running_ecs() as ecs:
        yield ecs


def test_protection(ecs: Ecs) -> None:
    """The requests have the agent's format."""
    task = ecs.connect()
    task.protect(30)
    task.lift()
    assert ecs.asked == [{"ProtectionEnabled": True, "ExpiresInMinutes": 30}, {"ProtectionEnabled": False}]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"failure": {"Arn": ARN, "Reason": "DEPLOYMENT_BLOCKED", "Detail": None}}),
        (400, {"error": {"Arn": ARN, "Code": "ThrottlingException", "Message": "Rate exceeded"}}),
        (504, {"error": {"Arn": ARN, "Code": "RequestCanceled", "Message": "Timed out"}}),
        (200, b"not JSON"),
        (200, []),
    ],
)
def test_protection_refused(ecs: Ecs, status: int, answer: Any) -> None:
    """Any answer without a protection is a failure, also with status 200."""
    ecs.refusal = (status, answer)
    with pytest.raises(EcsUnavailable):
        ecs.connect().protect(30)


def test_no_agent(ecs: Ecs) -> None:
    """An unreachable agent gives `EcsUnavailable`, not a socket's error."""
    with pytest.raises(EcsUnavailable):
        replace(ecs.connect(), agent_uri="http://127.0.0.1:9").protect(30)


def test_no_deployment_waits(ecs: Ecs) -> None:
    """The task belongs to the newest deployment, which runs the desired number of tasks."""
    assert not ecs.connect().blocks_deployment()
    assert ecs.described == ["DescribeTasks", "DescribeServices"]


def test_replaced_by_a_deploy(ecs: Ecs) -> None:
    """The newest deployment is not the one that started this task, though its task definition may be the same."""
    ecs.deploy()
    assert ecs.connect().blocks_deployment()


def test_one_too_many(ecs: Ecs) -> None:
    """A scale-in has begun and found no unprotected task."""
    ecs.deployments[0]["desiredCount"] = 1
    assert ecs.connect().blocks_deployment()


def test_being_stopped(ecs: Ecs) -> None:
    """A task that ECS is already stopping needs no protection."""
    ecs.task["desiredStatus"] = "STOPPED"
    assert ecs.connect().blocks_deployment()


@pytest.mark.parametrize("away", ["denied", "no deployments", "no group"])
def test_ecs_does_not_say(ecs: Ecs, away: str) -> None:
    """An incomplete answer of ECS is an error, not a guess."""
    ecs.denied = away == "denied"
    if away == "no deployments":
        ecs.deployments.clear()
    if away == "no group":
        del ecs.task["group"]
    with pytest.raises(EcsUnavailable):
        ecs.connect().blocks_deployment()
