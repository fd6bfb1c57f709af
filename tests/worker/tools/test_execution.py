"""Time limits for work that refuses to stop, and for threads that cannot be stopped."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.tools import execution
from worker.tools.execution import ToolCancelled, ToolTimeout, in_thread, with_timeout


@pytest.fixture(autouse=True)
def short_stopping_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the time for cleaning up."""
    monkeypatch.setattr(execution, "STOPPING_TIME", 0.05)


async def test_work_that_refuses_to_stop_is_abandoned(caplog: pytest.LogCaptureFixture) -> None:
    """The call goes on, the log names the tool, and the work is not lost to the garbage collector."""
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(ToolTimeout):
        await with_timeout(0.01, stubborn(), name="stubborn")
    assert [(record.message, vars(record)["tool"]) for record in caplog.records] == [
        ("tool does not stop and is abandoned", "stubborn")
    ]
    (left,) = execution._abandoned
    release.set()
    await left
    await asyncio.sleep(0)
    assert not execution._abandoned


async def test_what_stopped_work_raises_is_not_logged_by_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    """The exception's message may contain arguments."""

    async def fails_when_stopped() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("hunter2") from None

    with pytest.raises(ToolTimeout):
        await with_timeout(0.01, fails_when_stopped(), name="rude")
    await asyncio.sleep(0)
    assert "hunter2" not in caplog.text


async def test_work_that_cancels_itself_has_its_own_error() -> None:
    """Otherwise the caller would seem to be cancelled."""

    async def gives_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ToolCancelled):
        await with_timeout(60, gives_up(), name="gives_up")


async def test_a_call_that_waits_for_a_thread_never_starts_once_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that was reported as timed out must not take effect a minute later."""
    monkeypatch.setattr(execution, "_threads", ThreadPoolExecutor(max_workers=1))
    release, calls = threading.Event(), list[str]()
    busy = asyncio.create_task(in_thread(release.wait, 60))
    waiting = asyncio.create_task(in_thread(calls.append, "called"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})  # a thread that is free before that may still take it
    release.set()
    await busy
    assert await in_thread(lambda: "free") == "free"
    assert not calls


async def test_a_thread_that_exceeds_its_time_limit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log says when the time limit passes, and when the thread is free again."""
    caplog.set_level("INFO")
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(60)

    task = asyncio.create_task(in_thread(block))
    await asyncio.get_running_loop().run_in_executor(None, started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await in_thread(lambda: None)
    for _ in range(100):
        if len(caplog.records) == 2:
            break
        await asyncio.sleep(0.01)
    assert [record.message for record in caplog.records] == [
        "tool still runs in its thread after its time limit",
        "tool's thread is free again",
    ]


async def test_hanging_tools_leave_the_default_executor_free() -> None:
    """Other calls resolve host names in the event loop's default pool, so tools must not fill it."""
    release = threading.Event()
    hanging = [asyncio.create_task(in_thread(release.wait, 60)) for _ in range(execution.THREADS)]
    await asyncio.sleep(0)  # each has its thread now
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 30) == "free"
    finally:
        release.set()
        await asyncio.gather(*hanging)
