"""What the worker asks its agent and ECS, and what it makes of the answers."""

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
    """The agent is asked in its own words."""
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
    """Whatever is not a protection is none, with status 200 too."""
    ecs.refusal = (status, answer)
    with pytest.raises(EcsUnavailable):
        ecs.connect().protect(30)


def test_no_agent(ecs: Ecs) -> None:
    """An agent that is not there is ours to report, not an error of the socket's."""
    with pytest.raises(EcsUnavailable):
        replace(ecs.connect(), agent_uri="http://127.0.0.1:9").protect(30)


def test_in_nobodys_way(ecs: Ecs) -> None:
    """A task of the newest deployment, of which there are as many as there should be."""
    assert not ecs.connect().blocks_deployment()
    assert ecs.described == ["DescribeTasks", "DescribeServices"]


def test_replaced_by_a_deploy(ecs: Ecs) -> None:
    """Another deployment than the one that started this task is the newest, though the definition may be the same."""
    ecs.deploy()
    assert ecs.connect().blocks_deployment()


def test_one_too_many(ecs: Ecs) -> None:
    """A scale-in has begun and found no task that it may end."""
    ecs.deployments[0]["desiredCount"] = 1
    assert ecs.connect().blocks_deployment()


def test_being_stopped(ecs: Ecs) -> None:
    """A task that ECS is stopping already need not be protected any more."""
    ecs.task["desiredStatus"] = "STOPPED"
    assert ecs.connect().blocks_deployment()


@pytest.mark.parametrize("away", ["denied", "no deployments", "no group"])
def test_ecs_does_not_say(ecs: Ecs, away: str) -> None:
    """What ECS does not say is not guessed."""
    ecs.denied = away == "denied"
    if away == "no deployments":
        ecs.deployments.clear()
    if away == "no group":
        del ecs.task["group"]
    with pytest.raises(EcsUnavailable):
        ecs.connect().blocks_deployment()
