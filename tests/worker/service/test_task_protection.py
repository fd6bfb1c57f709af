"""The protection of the worker's task, against a simulated ECS on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from local.model import Say
from tests.worker.conftest import RigFactory
from tests.worker.ecs import Ecs, running_ecs
from worker.service import task_protection
from worker.service.task_protection import TaskProtection


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens all intervals but the renewal, so that each request has one cause."""
    for name, seconds in {
        "_POLL_INTERVAL_S": 0.01,
        "_LIFT_AFTER_S": 2,
        "_RETRY_AFTER_S": 0.05,
        "_CHECK_EVERY_S": 0.02,
    }.items():
        monkeypatch.setattr(task_protection, name, seconds)


class Watched:
    """A worker's number of calls, and the requests that ECS has got."""

    def __init__(self, ecs: Ecs) -> None:
        self.ecs = ecs
        self.calls = 0

    @property
    def protected(self) -> list[bool]:
        return [state["ProtectionEnabled"] for state in self.ecs.asked]

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.005)

    async def checked(self, times: int = 4) -> None:
        """Waits until ECS has been asked `times` more times whether it waits for the task."""
        before = len(self.ecs.described)
        await self.until(lambda: len(self.ecs.described) >= before + 2 * times)


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    with running_ecs() as ecs:
        calls = Watched(ecs)
        watching = asyncio.create_task(TaskProtection(ecs.connect()).watch(lambda: calls.calls))
        try:
            yield calls
        finally:
            watching.cancel()


async def test_while_there_are_calls() -> None:
    """The task is protected at the first call; some time after the last one the protection is lifted, once."""
    async with watched() as worker:
        worker.calls = 3
        await worker.until(lambda: worker.protected == [True])
        worker.calls = 0
        await asyncio.sleep(0.02)
        worker.calls = 1
        await worker.checked()
        assert worker.protected == [True]
        worker.calls = 0
        await worker.until(lambda: worker.protected == [True, False])


async def test_idle() -> None:
    """Without calls ECS gets no request."""
    async with watched() as worker:
        await asyncio.sleep(0.1)
        assert not worker.ecs.asked
        assert not worker.ecs.described


async def test_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protection is renewed before it expires."""
    monkeypatch.setattr(task_protection, "_RENEW_EVERY_S", 0.05)
    async with watched() as worker:
        worker.calls = 1
        await worker.until(lambda: worker.protected == [True, True, True])
        assert {state["ExpiresInMinutes"] for state in worker.ecs.asked} == {30}
        assert task_protection._RENEW_EVERY_S < 30 * 60


async def test_gives_way_to_a_deploy() -> None:
    """When a deployment replaces it, the worker lifts its protection despite its calls, and does not set it again."""
    async with watched() as worker:
        worker.calls = 1
        await worker.until(lambda: worker.protected == [True])
        worker.ecs.deploy()
        await worker.until(lambda: worker.protected == [True, False])
        await worker.checked()
        assert worker.protected == [True, False]


async def test_deploy_is_taken_back() -> None:
    """When ECS no longer waits, the calls are protected again."""
    async with watched() as worker:
        worker.calls = 1
        worker.ecs.deploy()
        await worker.checked()
        worker.ecs.deployments[:] = [{**worker.ecs.deployments[1], "status": "PRIMARY"}]
        await worker.until(lambda: worker.protected[-1:] == [True])


async def test_a_short_wait_changes_nothing() -> None:
    """If ECS waits only briefly, because it finds an idle task, nothing changes."""
    async with watched() as worker:
        worker.calls = 1
        await worker.until(lambda: worker.protected == [True])
        worker.ecs.deployments[0]["desiredCount"] = 1
        await worker.checked(1)
        worker.ecs.deployments[0]["desiredCount"] = 2
        await worker.checked()
        assert worker.protected == [True]


async def test_protected_without_an_answer() -> None:
    """Without an answer of ECS the task stays protected."""
    async with watched() as worker:
        worker.calls = 1
        worker.ecs.denied = True
        worker.ecs.deploy()
        await worker.checked(6)
        assert worker.protected == [True]


async def test_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed request to set or lift the protection is counted and retried, since ECS may have executed it."""
    async with watched() as worker:
        worker.ecs.refusal = (504, {"error": {"Code": "RequestCanceled", "Message": "Timed out"}})
        worker.calls = 1
        await worker.until(lambda: worker.protected == [True, True])
        worker.calls = 0
        await worker.until(lambda: worker.protected[-2:] == [False, False])
    assert "TaskProtectionFailures" in capsys.readouterr().out


async def test_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an unexpected exception does not end the watch and so the server."""
    async with watched() as worker:
        monkeypatch.setattr("worker.service.ecs._ask", lambda *_: None)
        worker.calls = 1
        await asyncio.sleep(0.05)
        monkeypatch.undo()
        await worker.until(lambda: True in worker.protected)


async def test_of_a_real_call(rig: RigFactory) -> None:
    """A call on the server's real sockets protects the task; its end lifts the protection."""
    with running_ecs() as ecs:
        protection = TaskProtection(ecs.connect())
        calls = Watched(ecs)
        async with rig(otherwise=[Say("Hello.", ms=100)], protection=protection) as running:
            async with running.phone() as phone:
                await (await phone.start()).wait_for("media")
                await calls.until(lambda: calls.protected == [True])
            await calls.until(lambda: calls.protected == [True, False])
