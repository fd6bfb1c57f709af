"""`python -m worker` with unread output: it still answers requests, and ends when told to."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from local.stack.process import REPOSITORY, free_port
from tests.worker.conftest import until
from tests.worker.program import ENVIRON, health

LINES = 3000

# The worker with two additions: it reports a rising number of calls often, and in the event loop's thread it logs 3 MB
# each to stdout and stderr. Then it creates a marker file.
PROGRAM = """
import asyncio, itertools, logging, os, sys
from pathlib import Path
from worker import __main__ as program
from worker.service import load

load._REPORT_EVERY_S = 0.05

async def flood(_calls):
    for number in range({lines}):
        program._log.info("flood", number=number, text="x" * 1000)
        logging.getLogger("another").warning("flood %s %s", number, "x" * 1000)
        await asyncio.sleep(0)
    Path({marker!r}).touch()
    await asyncio.Event().wait()

async def count(_calls):
    await load.report_active_calls(itertools.count().__next__)

program._watches = lambda _settings: [flood, count]
os._exit(program.main([]))
"""


class Running:
    """A worker whose output is not read until `read` is called."""

    def __init__(self, program: subprocess.Popen[bytes], port: int, marker: Path) -> None:
        self.program = program
        self.port = port
        self.marker = marker
        self.out, self.err = bytearray(), bytearray()

    async def flooded(self) -> None:
        await until(self.marker.exists)

    def read(self) -> None:
        """Starts to read its output."""
        for pipe, read in ((self.program.stdout, self.out), (self.program.stderr, self.err)):
            assert pipe
            threading.Thread(target=_read_all, args=(pipe, read), daemon=True).start()

    async def told(self, gaps: int) -> None:
        """Waits until it has reported so many gaps."""
        await until(lambda: self.out.count(b'"LogLinesDropped":[') >= gaps)

    async def ended(self) -> int:
        """Terminates it, and returns its exit status."""
        self.program.terminate()
        return await asyncio.to_thread(self.program.wait, 20)


def _read_all(pipe: IO[bytes], read: bytearray) -> None:
    while piece := os.read(pipe.fileno(), 64 * 1024):
        read += piece
    read += b"\nend"


def started(marker: Path, port: int) -> subprocess.Popen[bytes]:
    variables = {**ENVIRON, "PORT": str(port)}
    command = [sys.executable, "-c", PROGRAM.format(lines=LINES, marker=str(marker))]
    return subprocess.Popen(command, cwd=REPOSITORY, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@asynccontextmanager
async def unread(tmp_path: Path) -> AsyncIterator[Running]:
    port, marker = free_port(), tmp_path / "flooded"
    program = started(marker, port)
    try:
        yield Running(program, port, marker)
    finally:
        program.kill()
        await asyncio.to_thread(program.wait, 20)
        for pipe in (program.stdout, program.stderr):
            if pipe:
                pipe.close()


async def lines(read: bytearray) -> list[str]:
    """All lines read from a pipe, once it is closed."""
    await until(lambda: read.endswith(b"\nend"))
    return read.decode().splitlines()[:-2]


def numbers(log: list[dict[str, Any]], metric: str) -> list[int]:
    """The values of a metric, in the order of writing."""
    return [int(value) for line in log if metric in line and "_aws" in line for value in line[metric]]


async def test_it_answers(tmp_path: Path) -> None:
    """`/health` is answered; when the log is read, its lines are whole and the missing ones are counted."""
    async with unread(tmp_path) as running:
        await running.flooded()
        assert await health(running.port) == 200
        running.read()
        await running.told(gaps=2)
        assert await running.ended() == 0
        log = [json.loads(line) for line in await lines(running.out)]
        others = await lines(running.err)
    flood = [line["number"] for line in log if line.get("message") == "flood"]
    assert flood == list(range(len(flood)))
    assert 500 < len(flood) < LINES
    gaps = [line["lines"] for line in log if line.get("message") == "log lines dropped"]
    assert gaps == numbers(log, "LogLinesDropped")
    counted = numbers(log, "ActiveCalls")
    assert counted == list(range(len(counted)))
    assert len(counted) > 1
    told = [int(line.split()[1]) for line in others]
    assert told == list(range(len(told)))
    assert len(told) + len(flood) + sum(gaps) >= 2 * LINES
    assert "draining" in [line.get("message") for line in log]


async def test_it_ends(tmp_path: Path) -> None:
    """It ends on SIGTERM, although its last lines cannot be written."""
    async with unread(tmp_path) as running:
        await running.flooded()
        assert await running.ended() == 0


@pytest.mark.parametrize("name", ["stdout", "stderr"])
async def test_one_of_the_two(tmp_path: Path, name: str) -> None:
    """If one of stdout and stderr is not read, the other one still works."""
    async with unread(tmp_path) as running:
        read = running.err if name == "stdout" else running.out
        pipe = running.program.stderr if name == "stdout" else running.program.stdout
        threading.Thread(target=_read_all, args=(pipe, read), daemon=True).start()
        await running.flooded()
        assert await health(running.port) == 200
        assert await running.ended() == 0
        assert sum("flood" in line for line in await lines(read)) > 500
