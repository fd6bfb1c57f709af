"""`python -m worker` as a program: its start, its output and its end."""

import asyncio
import json
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

from local.audio.recogniser import Dictated
from local.model import Say, Scripted, SimulatedModel
from local.stack.emulator import Emulator
from local.stack.process import REPOSITORY, free_port
from shared.calls.ending import CallEnd
from shared.calls.store import CallStore
from tests.worker.conftest import CALL_SID, Phone, until
from tests.worker.program import ENVIRON, health, worker

Starter = Callable[..., Any]


@dataclass
class Running:
    """A worker that has started."""

    program: subprocess.Popen[bytes]
    port: int
    log: Path
    store: CallStore
    phones: AsyncExitStack

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def said(self, message: str) -> bool:
        return any(line.get("message") == message for line in self.lines)

    def has_written(self, metric: str) -> bool:
        return any(metric in line for line in self.lines)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/media-stream"

    async def call(self) -> Phone:
        """A call that has been greeted."""
        phone = Phone(await self.phones.enter_async_context(connect(self.url, compression=None)))
        await (await phone.start()).wait_for("media")
        return phone

    async def refuses_streams(self) -> bool:
        """Whether it answers that it takes no more calls."""
        with pytest.raises(InvalidStatus) as refusal:
            await connect(self.url)
        return refusal.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE

    async def exit_status(self) -> int:
        return await asyncio.to_thread(self.program.wait, 20)

    @property
    def how_it_ended(self) -> CallEnd | None:
        """How the call's end was recorded."""
        return self.store.how_it_ended(CALL_SID)


@pytest.fixture
def start(emulator: Emulator, table: str, queue: str, tmp_path: Path) -> Starter:
    """Starts a worker: `async with start(MAX_CALLS="4") as running`."""

    @asynccontextmanager
    async def starting(**environ: str) -> AsyncIterator[Running]:
        port, log = free_port(), tmp_path / "worker.log"
        brain = Scripted(otherwise=[Say("Hello.", ms=300)])
        store = CallStore(table, boto3.client("dynamodb", **emulator.connection))
        async with SimulatedModel(brain=brain, recogniser=Dictated(), pace=50) as model, AsyncExitStack() as phones:
            own = {"TABLE_NAME": table, "ESCALATION_QUEUE_URL": queue, "OPENAI_BASE_URL": model.url, "PORT": str(port)}
            with log.open("wb") as output, worker(output, **emulator.environ, **own, **environ) as program:
                running = Running(program, port, log, store, phones)
                try:
                    await until(lambda: running.said("worker ready"))
                    yield running
                    await phones.aclose()
                finally:
                    program.terminate()
                    await running.exit_status()

    return starting


@pytest.mark.parametrize(("first", "second"), [(signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
async def test_draining(start: Starter, first: signal.Signals, second: signal.Signals) -> None:
    """On either signal it refuses new streams and keeps its call; a second signal does not end the call."""
    async with start(DRAIN_S="60") as running:
        phone = await running.call()
        running.program.send_signal(first)
        await until(lambda: running.said("draining"))
        assert await health(running.port) == HTTPStatus.SERVICE_UNAVAILABLE
        assert await running.refuses_streams()
        running.program.send_signal(second)
        await phone.speak()
        await phone.wait_for("mark", 2)
        assert not phone.closed
        await phone.send("stop", stop={"callSid": CALL_SID})
        assert await running.exit_status() == 0
        assert running.how_it_ended is CallEnd.CALLER_HUNG_UP


async def test_end_of_draining(start: Starter) -> None:
    """A call that is left at the end of the drain is moved to another worker, and the program ends."""
    async with start(DRAIN_S="0") as running:
        phone = await running.call()
        running.program.terminate()
        await phone.wait_closed()
        assert await running.exit_status() == 0
        assert running.said("calls moved")
        assert running.how_it_ended is CallEnd.MOVED


async def test_figures(start: Starter) -> None:
    """Calls and lag are reported from the start; a call above `MAX_CALLS` is refused."""
    async with start(MAX_CALLS="1") as running:
        await until(lambda: running.has_written("ActiveCalls") and running.has_written("LoopLagMs"))
        await running.call()
        assert await running.refuses_streams()
        assert await health(running.port) == HTTPStatus.OK


def ended(*arguments: str, **environ: str) -> tuple[int, bytes]:
    """The exit status and output of a worker that ends by itself."""
    with worker(subprocess.PIPE, *arguments, **environ) as program:
        try:
            output, _ = program.communicate(timeout=20)
        finally:
            program.kill()
    return program.returncode, output


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"PORT": "eighty"}, "PORT"), ({"MAX_CALLS": "0"}, "MAX_CALLS"), ({"AGENTS_DIR": "/nowhere"}, "/nowhere")],
)
def test_wrong_settings(wrong: dict[str, str], named: str) -> None:
    """The error is logged once, in one line, and nothing is started."""
    status, output = ended(**wrong)
    [line] = [json.loads(line) for line in output.splitlines()]
    assert (status, line["message"]) == (1, "worker cannot start")
    assert named in line["error"]


def test_port_taken() -> None:
    """A port that another program uses is an error in one line, too."""
    with socket.create_server(("", 0)) as other:
        status, output = ended(PORT=str(other.getsockname()[1]))
    assert status == 1
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["worker cannot listen"]


def test_an_argument() -> None:
    """Arguments are refused with an error."""
    status, output = ended("--port", "80")
    assert status == 2
    assert output.endswith(b"unrecognized arguments: --port 80\n")


def test_a_fault_at_the_start() -> None:
    """An unexpected exception is logged with its trace, in one line."""
    code = "import os; from worker import __main__ as program; program.load_agents = None; os._exit(program.main([]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=ENVIRON, capture_output=True, check=False, timeout=20
    )
    failed, counted = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, failed["message"], counted["WorkerFaults"]) == (1, "worker failed", [1.0])
    assert "TypeError" in failed["exception"]
    assert not done.stderr


def test_a_line_is_written_at_once() -> None:
    """A line is written in one piece, because a program started by a tool may print to the same file."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(20)
    with ours, theirs, worker(theirs, PORT=str(free_port())) as program:
        theirs.close()
        pieces: list[bytes] = []
        while not any(b"LoopLagMs" in piece for piece in pieces):
            pieces.append(ours.recv(10_000))
        program.terminate()
        while piece := ours.recv(10_000):
            pieces.append(piece)
    for piece in pieces:
        assert piece.endswith(b"\n")
        assert isinstance(json.loads(piece), dict)
