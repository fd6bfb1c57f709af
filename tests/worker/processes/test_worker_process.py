"""A process as the front knows it."""

import asyncio
import os
import signal
import socket
import sys

import pytest

from tests.worker.processes.conftest import PUPPET, descriptors, sockets_of, until
from worker.processes.worker_process import WorkerProcess


async def test_a_life() -> None:
    """Up once it has reported, and no longer when it has ended; nothing of it is left."""
    heard = asyncio.Event()
    before = descriptors()
    process = await WorkerProcess.start(PUPPET, heard.set)
    assert not process.is_up
    assert not process.up_s
    await heard.wait()
    assert process.is_up
    process.leave()
    assert await process.ended() == 0
    assert not process.is_up
    assert process.up_s
    assert descriptors() == before
    process.leave()
    process.kill()


async def test_no_room() -> None:
    """One that takes nothing has room for so many connections, and the front does not wait for it."""
    heard = asyncio.Event()
    process = await WorkerProcess.start(PUPPET, heard.set)
    await heard.wait()
    os.kill(process.pid, signal.SIGSTOP)
    with socket.create_server(("127.0.0.1", 0)) as connection:
        while process.hand(connection):
            pass
    process.kill()
    assert await process.ended() == -signal.SIGKILL


async def test_gone() -> None:
    """To one that has just died nothing can be handed."""
    heard = asyncio.Event()
    process = await WorkerProcess.start(PUPPET, heard.set)
    await heard.wait()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - before the loop can hear of it
    with socket.create_server(("127.0.0.1", 0)) as connection:
        assert not process.hand(connection)
    await process.ended()


async def test_nothing_but_its_own() -> None:
    """Of the front's descriptors a process gets its own end and its log; a port held by a child would outlive us."""
    with socket.create_server(("127.0.0.1", 0)):
        processes = [await WorkerProcess.start(PUPPET, lambda: None) for _ in range(2)]
        await until(lambda: all(process.is_up for process in processes))
        assert all(sockets_of(process.pid) for process in processes)
        assert not any(sockets_of(os.getpid()) & sockets_of(process.pid) for process in processes)
        assert not sockets_of(processes[0].pid) & sockets_of(processes[1].pid)
    for process in processes:
        process.kill()
        await process.ended()


async def test_cannot_be_started() -> None:
    """Nothing is left of it."""
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        await WorkerProcess.start(("/nowhere/python",), lambda: None)
    assert descriptors() == before


async def test_ends_by_itself() -> None:
    """Its status is told."""
    process = await WorkerProcess.start((sys.executable, "-c", "raise SystemExit(3)"), lambda: None)
    assert await process.ended() == 3
