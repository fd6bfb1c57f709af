"""Runs tools that may block, hang or refuse to stop, so that no call waits for another call's tool.

Blocking functions have their own thread pool. The event loop's default pool also resolves host names; a few hanging
tools in it would stop that for every call.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from shared.logs import logger

Result = TypeVar("Result")

THREADS: Final = 64
"""A worker has about 100 calls, few of which wait for a tool at the same time. Threads start only when needed."""

STOPPING_TIME: Final = 1.0
"""Seconds that cancelled work gets to clean up before it is abandoned."""

_log = logger("worker")
_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="tool")
_abandoned: set[asyncio.Task[Any]] = set()


class ToolTimeout(Exception):
    """The work was not done within its time limit."""


class ToolCancelled(Exception):
    """The work was cancelled, but not by this module."""


async def with_timeout(seconds: float, work: Coroutine[Any, Any, Result], *, name: str) -> Result:
    """Awaits `work` for at most `seconds`, and returns about 1 s later even if it refuses to be cancelled.

    The work runs in its own task, so that a cancellation inside it is not mistaken for one of the caller.
    Raises `ToolTimeout`, `ToolCancelled`, or what the work raises. `name` is for the log.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise ToolTimeout
        if task.cancelled():
            raise ToolCancelled
        return task.result()
    finally:
        if not task.done():
            await _stop(task, name)


async def _stop(task: asyncio.Task[Any], name: str) -> None:
    _abandoned.add(task)  # the event loop itself keeps only weak references to tasks
    task.add_done_callback(_forget)
    task.cancel()
    await asyncio.wait({task}, timeout=STOPPING_TIME)
    if not task.done():
        _log.warning("tool does not stop and is abandoned", tool=name)


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # else asyncio would log it, and its message may contain arguments


async def in_thread(function: Callable[..., Result], /, *arguments: Any, **named: Any) -> Result:
    """Calls a blocking function in one of the tools' threads, with the caller's context variables.

    If this is cancelled before a thread is free, the function never runs. A running function cannot be stopped: it
    keeps its thread, and the log says so.
    """
    call = partial(contextvars.copy_context().run, function, *arguments, **named)
    future = _threads.submit(call)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if future.running():
            name = getattr(function, "__qualname__", type(function).__qualname__)
            _log.warning("tool still runs in its thread after its time limit", function=name)
            future.add_done_callback(partial(_note_end, name))
        raise


def _note_end(name: str, future: Future[Any]) -> None:
    future.exception()
    _log.info("tool's thread is free again", function=name)
