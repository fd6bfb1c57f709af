"""`python -m worker` with more than one process, and calls through it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from local.emulator import Emulator
from local.model import Say, Scripted, SimulatedModel
from local.process import REPOSITORY, free_port
from local.recogniser import Dictated
from shared.call_store import CallEnd, CallStore
from tests.worker.conftest import AUTH_TOKEN, SIGNING_KEY, Phone
from tests.worker.processes.conftest import gone, until

ENVIRON = {
    "TABLE_NAME": "table",
    "ESCALATION_QUEUE_URL": "https://sqs.example/queue",
    "OPENAI_API_KEY": "sk-test",
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "STREAM_URL": "wss://worker.example/media-stream",
    "SIGNING_KEY": SIGNING_KEY.get_secret_value(),
    "READY_SESSIONS": "0",
    "MAX_LAG_MS": "60000",
    "PROCESSES": "2",
    "DRAIN_S": "0",
    "AWS_REGION": "us-east-1",
}
Starter = Callable[..., Any]


@dataclass
class Running:
    """A worker that has started, and its calls by the numbers in their names."""

    program: subprocess.Popen[bytes]
    port: int
    log: Path
    store: CallStore
    phones: AsyncExitStack

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def said(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("message") == message]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/media-stream"

    async def call(self, number: int) -> tuple[Phone, int]:
        """A call that has been greeted, and the process that has it."""
        phone = Phone(await self.phones.enter_async_context(connect(self.url, compression=None)))
        await (await phone.start(call_sid=call_sid(number))).wait_for("media")
        await until(lambda: bool(self._pids(number)))
        return phone, self._pids(number)[0]

    def _pids(self, number: int) -> list[int]:
        """The processes that have let the call in."""
        return [line["pid"] for line in self.said("stream admitted") if line["call_sid"] == call_sid(number)]

    async def health(self) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: worker\r\n\r\n")
        status = int((await reader.read()).split()[1])
        writer.close()
        return status

    def ended(self, number: int) -> CallEnd | None:
        return self.store.how_it_ended(call_sid(number))


def call_sid(number: int) -> str:
    return f"CA{number:032}"


@pytest.fixture
def start(emulator: Emulator, table: str, queue: str, tmp_path: Path) -> Starter:
    """Starts a worker of two processes: `async with start(MAX_CALLS="4") as worker`."""

    @asynccontextmanager
    async def starting(**environ: str) -> AsyncIterator[Running]:
        port, log = free_port(), tmp_path / "worker.log"
        brain = Scripted(otherwise=[Say("Hello.", ms=300)])
        store = CallStore(table, boto3.client("dynamodb", **emulator.connection))
        async with SimulatedModel(brain=brain, recogniser=Dictated(), pace=50) as model, AsyncExitStack() as phones:
            own = {"TABLE_NAME": table, "ESCALATION_QUEUE_URL": queue, "OPENAI_BASE_URL": model.url, "PORT": str(port)}
            with log.open("wb") as output, worker(output, **emulator.environ, **own, **environ) as program:
                try:
                    running = Running(program, port, log, store, phones)
                    await until(lambda: len(running.said("process up")) == 2)
                    yield running
                    await phones.aclose()
                finally:
                    program.terminate()
                    await asyncio.to_thread(program.wait, 20)

    return starting


def worker(output: Any, **environ: str) -> subprocess.Popen[bytes]:
    variables = {**ENVIRON, "PYTHONUNBUFFERED": "1", **environ}
    command = [sys.executable, "-m", "worker"]
    return subprocess.Popen(command, cwd=REPOSITORY, env=variables, stdout=output, stderr=subprocess.STDOUT)


async def test_one_process_is_killed(start: Starter) -> None:
    """Two calls are in two processes; the loss of one is not heard in the other, and the next call finds a new one."""
    async with start() as running:
        (lost, victim), (kept, other) = await running.call(1), await running.call(2)
        assert victim != other
        os.kill(victim, signal.SIGKILL)
        await lost.wait_closed()
        assert running.ended(1) is None
        await until(lambda: len(running.said("process up")) == 3)
        _phone, third = await running.call(3)
        assert third not in (victim, other)
        assert await running.health() == HTTPStatus.OK
        await kept.speak()
        await kept.wait_for("mark", 2)
        assert not kept.closed
        (died,) = running.said("process lost")
        assert (died["child"], died["status"]) == (victim, -signal.SIGKILL)


async def test_draining(start: Starter) -> None:
    """The whole worker drains on one signal: it says so, refuses new streams, and keeps its calls."""
    async with start(DRAIN_S="60") as running:
        (first, one), (second, other) = await running.call(1), await running.call(2)
        running.program.terminate()
        await until(lambda: len(running.said("draining")) == 2)
        assert await running.health() == HTTPStatus.SERVICE_UNAVAILABLE
        with pytest.raises(InvalidStatus) as refusal:
            await connect(running.url)
        assert refusal.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        await first.send("stop", stop={"callSid": call_sid(1)})
        await until(lambda: gone(one))
        assert await running.health() == HTTPStatus.SERVICE_UNAVAILABLE
        assert not second.closed
        assert not gone(other)
        await second.send("stop", stop={"callSid": call_sid(2)})
        assert await asyncio.to_thread(running.program.wait, 20) == 0
        assert running.ended(1) is running.ended(2) is CallEnd.CALLER_HUNG_UP
        assert not running.said("process lost")


async def test_every_process_gets_the_signal(start: Starter) -> None:
    """Ctrl-C reaches them all, and the front tells them once more; what drains goes on draining."""
    async with start(DRAIN_S="60") as running:
        phone, pid = await running.call(1)
        os.kill(pid, signal.SIGINT)
        running.program.send_signal(signal.SIGINT)
        await until(lambda: len(running.said("draining")) == 2)
        await phone.speak()
        await phone.wait_for("mark", 2)
        await phone.send("stop", stop={"callSid": call_sid(1)})
        assert await asyncio.to_thread(running.program.wait, 20) == 0
        assert running.ended(1) is CallEnd.CALLER_HUNG_UP


async def test_the_front_is_killed(start: Starter) -> None:
    """Its processes notice, move their calls as on a signal, and end."""
    async with start(DRAIN_S="1") as running:
        (first, one), (second, other) = await running.call(1), await running.call(2)
        running.program.kill()
        await first.wait_closed()
        await second.wait_closed()
        assert running.ended(1) is running.ended(2) is CallEnd.MOVED
        await until(lambda: gone(one) and gone(other))


async def test_figures_of_the_whole(start: Starter) -> None:
    """The calls are reported once; a call is refused when it is one too many for all processes together."""
    async with start(MAX_CALLS="4") as running:
        assert sum("ActiveCalls" in line for line in running.lines) == 1
        await until(lambda: sum("LoopLagMs" in line for line in running.lines) == 2)
        for number in range(4):
            await running.call(number)
        with pytest.raises(InvalidStatus) as refusal:
            await connect(running.url)
        assert refusal.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert await running.health() == HTTPStatus.OK


@pytest.mark.parametrize("wrong", [{"PORT": "eighty"}, {"AGENTS_DIR": "/nowhere"}, {"PROCESSES": "65"}])
def test_wrong_settings(wrong: dict[str, str]) -> None:
    """What is wrong is said once, and nothing is started."""
    with worker(subprocess.PIPE, **wrong) as program:
        output, _ = program.communicate(timeout=20)
    assert program.returncode == 1
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["worker cannot start"]


def test_port_taken() -> None:
    """The same for a port that is somebody else's."""
    with socket.create_server(("", 0)) as other, worker(subprocess.PIPE, PORT=str(other.getsockname()[1])) as program:
        output, _ = program.communicate(timeout=20)
    assert program.returncode == 1
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["worker cannot listen"]


def test_a_fault_at_the_start() -> None:
    """What nobody thought of is in the log with its trace, in one line."""
    code = "import os; from worker import __main__ as program; program.load_profiles = None; os._exit(program.main([]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=ENVIRON, capture_output=True, check=False, timeout=20
    )
    failed, counted = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, failed["message"], counted["WorkerFaults"]) == (1, "worker failed", [1.0])
    assert "TypeError" in failed["exception"]
    assert not done.stderr


def test_a_line_is_written_at_once() -> None:
    """All processes write to the same place, where whatever is written in two pieces may be torn apart."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(20)
    with ours, theirs, worker(theirs, PORT=str(free_port())) as program:
        theirs.close()
        pieces: list[bytes] = []
        while sum(b"LoopLagMs" in piece for piece in pieces) < 2:
            pieces.append(ours.recv(10_000))
        program.terminate()
        while piece := ours.recv(10_000):
            pieces.append(piece)
    for piece in pieces:
        assert piece.endswith(b"\n")
        assert isinstance(json.loads(piece), dict)
