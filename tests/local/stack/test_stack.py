"""The stack starts completely or not at all, and leaves nothing behind."""

import asyncio
from pathlib import Path

import httpx
import pytest

from local.audio.recogniser import Dictated
from local.model import Scripted, SimulatedModel
from local.stack import template
from local.stack.front_door import FrontDoor
from local.stack.process import NotReadyError
from local.stack.simulation import simulation
from local.stack.stack import Choices, Outside, Stack


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/health")
    except httpx.TransportError:
        return False
    return True


async def test_both_parts_answer_behind_the_front_door_and_are_gone_afterwards(tmp_path: Path) -> None:
    """The functions' /health answers through the door, the worker's at its port; afterwards only logs are left."""
    async with simulation(SimulatedModel(brain=Scripted(), recogniser=Dictated()), tmp_path) as simulated:
        stack = simulated.stack
        async with httpx.AsyncClient() as client:
            public = simulated.twilio.exchange.address_of(f"{stack.public_url}/health")
            assert (await client.get(public)).status_code == httpx.codes.OK
        worker_port = stack.worker.port
        assert _listens(worker_port)
        assert _listens(stack.emulator.port)
    assert not _listens(worker_port)
    assert not _listens(stack.emulator.port)
    logs = tmp_path.iterdir()  # noqa: ASYNC240 - a test's own few files
    assert {log.name for log in logs} == {"emulator.log", "worker.log", "voice.log", "alerts.log", "desk.log"}


async def test_a_worker_that_cannot_start_is_an_error_that_says_why(tmp_path: Path) -> None:
    """The error has the worker's own message, and the parts started before are stopped."""
    outside = Outside("sk-test", "AC" + "0" * 32, "token")
    choices = Choices(worker_environ={"OPENAI_BASE_URL": "nonsense"})
    async with FrontDoor() as door:
        stack = Stack(door, f"http://{door.address}", outside, tmp_path, choices)
        with pytest.raises(NotReadyError, match="OPENAI_BASE_URL"):
            await stack.__aenter__()
    assert not _listens(stack.emulator.port)


async def test_a_tool_has_the_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in template.yaml for a tool gets the environment's value; the stack's own keys do not."""
    whole = template.read()
    [container] = whole["Resources"]["WorkerTask"]["Properties"]["ContainerDefinitions"]
    container["Secrets"] += [{"Name": "CRM", "ValueFrom": {"Fn::Sub": "${SecretArn}:CRM_KEY::${SecretVersion}"}}]
    monkeypatch.setattr(template, "read", lambda: whole)
    monkeypatch.setenv("CRM_KEY", "own")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    async with simulation(SimulatedModel(brain=Scripted(), recogniser=Dictated()), tmp_path) as simulated:
        environ = simulated.stack.deployment.worker_environ
        assert environ["CRM"] == "own"
        assert environ["OPENAI_API_KEY"] != "sk-real"


async def test_another_worker_may_take_the_usual_ones_place_for_a_while(tmp_path: Path) -> None:
    """The usual one is back afterwards, also at the front door; both write into one log."""
    async with simulation(SimulatedModel(brain=Scripted(), recogniser=Dictated()), tmp_path) as simulated:
        stack = simulated.stack
        usual = stack.worker.port
        async with stack.other_worker({"LOG_LEVEL": "DEBUG"}):
            other = stack.worker.port
            assert _listens(other)
            assert not _listens(usual)
        assert _listens(stack.worker.port)
        assert not _listens(other)
        async with asyncio.timeout(20):  # a worker may answer just before its log line is written
            while stack.worker.log.read_text().count("worker ready") < 3:
                await asyncio.sleep(0.01)


async def test_a_stack_may_have_several_workers_and_lose_any(tmp_path: Path) -> None:
    """One is killed and one replaced by a third; the right ones answer."""
    async with simulation(SimulatedModel(brain=Scripted(), recogniser=Dictated()), tmp_path) as simulated:
        workers = simulated.stack.workers
        await workers.start("second")
        ports = {name: workers[name].port for name in workers.names}
        await workers.kill("worker")
        assert not _listens(ports["worker"])
        await workers.replace("second", by="third")
        assert not _listens(ports["second"])
        assert workers.names == ["third"]
        assert _listens(workers["third"].port)
