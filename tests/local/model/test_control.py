"""A model in a process of its own can be told from outside how to fail."""

import asyncio
import sys

import httpx
import pytest

from local.model import Scripted, SimulatedModel
from local.model.control import from_option
from local.model.faults import CloseSocket, RefuseHandshake
from local.recogniser import Dictated


async def test_a_fault_is_added_over_http() -> None:
    """By its name and fields; without a name the answer lists them, and a wrong one is told what there is."""
    async with SimulatedModel(brain=Scripted(), recogniser=Dictated()) as model, httpx.AsyncClient() as http:
        control = model.url.replace("/v1", "/control")
        assert "NeverAnswer" in (await http.get(control)).text
        answer = await http.post(control, params={"fault": "CloseSocket", "code": "1001"})
        assert answer.status_code == 200
        assert model.faults.take(CloseSocket) == CloseSocket(1001)
        assert (await http.post(control, params={"fault": "Nonsense"})).status_code == 400


def test_a_fault_is_given_as_an_option() -> None:
    """Its name alone, or with its fields."""
    assert from_option("RefuseHandshake") == RefuseHandshake()
    assert from_option("CloseSocket:code=1001,reason=bye") == CloseSocket(1001, "bye")
    with pytest.raises(ValueError, match="has no 'colour'"):
        from_option("CloseSocket:colour=red")


async def test_the_model_runs_in_a_process_of_its_own() -> None:
    """It says what OPENAI_BASE_URL is, and fails as it was told on its command line."""
    command = ("-m", "local.model", "--port", "0", "--fault", "RefuseHandshake:status=429")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{line.removeprefix('OPENAI_BASE_URL=')}/realtime?model=gpt-realtime-2.1")
    process.terminate()
    await process.wait()
    assert answer.status_code == 429
