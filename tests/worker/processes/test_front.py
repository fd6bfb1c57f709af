"""Who gets a connection, and what becomes of processes that end, hang or never come up."""

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed

from tests.worker.ecs import running_ecs
from tests.worker.processes.conftest import PUPPET, descriptors, fronted, gone, sockets_of, spread, until
from worker import task_protection
from worker.processes import front as front_module
from worker.processes.front import ProcessesFailed
from worker.task_protection import TaskProtection


async def test_spread() -> None:
    """Each connection goes to the process that has the fewest, counted to the last one."""
    async with fronted(3) as running:
        await running.up(3)
        assert spread(await running.calls(30)) == [10, 10, 10]


async def test_room_that_was_made() -> None:
    """What has closed makes room where it was."""
    async with fronted(2) as running:
        await running.up(2)
        calls = await running.calls(6)
        await until(lambda: running.front.calls == 6)
        left = [call for call in calls if call.pid == calls[0].pid]
        for call in left:
            await call.socket.close()
        await until(lambda: running.front.calls == 3)
        assert {call.pid for call in await running.calls(3)} == {calls[0].pid}


async def test_connections_that_are_no_calls() -> None:
    """They count, for they may become calls; of as many, those that have become calls count more."""
    async with fronted(2) as running:
        await running.up(2)
        first = await running.call()
        await until(lambda: running.front.calls == 1)
        with socket.create_connection(("127.0.0.1", running.port)):
            await until(lambda: sorted(process.rank[1] for process in running.front._processes) == [1, 1])
            second, third = await running.calls(2)
        assert second.pid != first.pid
        assert third.pid == first.pid


async def test_one_that_is_full() -> None:
    """It gets nothing while another one takes calls; when none does, one of them may say so."""
    async with fronted(2) as running:
        await running.up(2)
        full = await running.tell("/full")
        await until(lambda: any(process.rank[0] for process in running.front._processes))
        calls = await running.calls(4)
        assert spread(calls) == [4]
        assert calls[0].pid != full
        assert await running.tell("/full") == calls[0].pid
        await until(lambda: all(process.rank[0] for process in running.front._processes))
        assert (await running.call()).pid == full


async def test_killed() -> None:
    """Its calls are lost and no others; another process takes its place."""
    async with fronted(2) as running:
        await running.up(2)
        calls = await running.calls(4)
        victim = calls[0].pid
        os.kill(victim, signal.SIGKILL)
        for call in calls:
            if call.pid == victim:
                with pytest.raises(ConnectionClosed):
                    await call.socket.recv()
        assert victim not in await running.up(2, but=victim)
        for call in calls:
            if call.pid != victim:
                await (await call.socket.ping())
        assert victim not in {call.pid for call in await running.calls(2)}
        assert running.front.calls <= 4


async def test_before_any_is_up() -> None:
    """A connection that comes before anybody can take it waits."""
    async with fronted(1) as running:
        await until(lambda: bool(running.front._processes))
        assert not running.pids
        await running.call()


async def test_the_only_one_dies() -> None:
    """What comes until it is replaced waits for the next one."""
    async with fronted(1) as running:
        (only,) = await running.up(1)
        await running.tell("/die")
        assert (await running.call()).pid != only


async def test_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs is passed over, then ended, and replaced."""
    async with fronted(2) as running:
        before = await running.up(2)
        await running.tell("/hang")
        await until(lambda: any(process.rank[0] for process in running.front._processes))
        calls = await running.calls(4)
        assert spread(calls) == [4]
        monkeypatch.setattr(front_module, "_HUNG_LOOKS", 4)
        (hung,) = before - {calls[0].pid}
        await until(lambda: gone(hung))
        monkeypatch.undo()
        await running.up(2, but=hung)


async def test_never_up() -> None:
    """Processes that cannot start end the front, and are not started for ever."""
    with pytest.raises(ProcessesFailed):
        async with fronted(3, command=(sys.executable, "-c", "raise SystemExit(1)")) as running:
            await running.running


async def test_cannot_be_started() -> None:
    """The same when there is no such program."""
    with pytest.raises(ProcessesFailed):
        async with fronted(2, command=("/nowhere/python",)) as running:
            await running.running


async def test_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process has calls nobody gives up: the start is tried again and again, ever more seldom."""
    monkeypatch.setattr(front_module, "_PAUSES_S", (0.05, 0.1))
    async with fronted(2) as running:
        await running.up(2)
        calls = await running.calls(2)
        running.front._command = (sys.executable, "-c", "raise SystemExit(1)")
        os.kill(calls[0].pid, signal.SIGKILL)
        await until(lambda: gone(calls[0].pid))
        await asyncio.sleep(0.5)
        await (await calls[1].socket.ping())
        running.front._command = PUPPET
        await running.up(2, but=calls[0].pid)


async def test_leaving() -> None:
    """Told to stop, each process keeps what it has; those that have nothing end, and the front goes with the last."""
    async with fronted(2) as running:
        await running.up(2)
        call = await running.call()
        running.stop.set()
        await until(lambda: running.pids == {call.pid})
        await (await call.socket.ping())
        assert (await running.call()).pid == call.pid
        assert not running.running.done()


async def test_descriptors() -> None:
    """The front keeps nothing of a connection that it has handed over, nor of a process that has ended."""
    async with fronted(2) as running:
        (victim, _) = await running.up(2)
        await (await running.call()).socket.close()  # the event loop keeps something for ever when it is first used
        before = descriptors()
        for call in await running.calls(20):
            assert not sockets_of(os.getpid()) & sockets_of(call.pid)
            await call.socket.close()
        os.kill(victim, signal.SIGKILL)
        await running.up(2, but=victim)
        await until(lambda: descriptors() == before)


async def test_no_descriptor_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that cannot be accepted just then waits until it can."""
    monkeypatch.setattr(front_module, "_AFTER_A_FAULT_S", 0.01)
    async with fronted(1) as running:
        await running.up(1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
                await until(lambda: "no connection can be accepted" in caplog.messages)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            client.sendall(b"GET /full HTTP/1.1\r\nHost: front\r\n\r\n")
            assert b"200 OK" in await asyncio.to_thread(client.recv, 1000)


async def test_calls_of_all() -> None:
    """What goes by the number of calls sees those of all processes."""
    seen: list[int] = []

    async def watch(calls: Callable[[], int]) -> None:
        while True:
            seen.append(calls())
            await asyncio.sleep(0.01)

    async with fronted(2, [watch]) as running:
        await running.up(2)
        calls = await running.calls(5)
        await until(lambda: seen[-1] == 5)
        await calls[0].socket.close()
        await until(lambda: seen[-1] == 4)


async def test_protection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is protected from the first call in any of its processes to the last one's end in all of them."""
    monkeypatch.setattr(task_protection, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(task_protection, "_LINGER_S", 0.5)
    with running_ecs() as ecs:
        async with fronted(2, [TaskProtection(ecs.connect()).watch]) as running:
            await running.up(2)
            first, second = await running.calls(2)
            await until(lambda: [state["ProtectionEnabled"] for state in ecs.asked] == [True])
            os.kill(first.pid, signal.SIGKILL)
            await running.up(2, but=first.pid)
            assert len(ecs.asked) == 1
            await second.socket.close()
            await until(lambda: [state["ProtectionEnabled"] for state in ecs.asked] == [True, False])
