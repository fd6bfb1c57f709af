"""Runs what may block, hang or refuse to stop, so that no call waits for another call's tool.

A function that blocks runs in a thread of the tools' own: the event loop's default executor also looks up host names,
and a few hanging tools must not keep every other call from that.
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
"""A worker carries about 100 calls, few of which wait for a tool at the same moment. Threads start only when needed."""

STOPPING_TIME: Final = 1.0
"""Seconds that cancelled work gets to clean up before it is left behind."""

_log = logger("worker")
_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="tool")
_left_behind: set[asyncio.Task[Any]] = set()


class ToolTimeout(Exception):
    """The work was not done within its time limit."""


class ToolCancelled(Exception):
    """The work was cancelled, though nobody here cancelled it."""


async def with_timeout(seconds: float, work: Coroutine[Any, Any, Result], *, name: str) -> Result:
    """Awaits `work` for at most so many seconds, and returns soon after even if it refuses to be cancelled.

    The work has a task of its own: what it does with its cancellation cannot be mistaken for ours.
    Raises `TookTooLong`, `StoppedItself`, or what the work raises. `name` is for the log.
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
    _left_behind.add(task)  # the event loop itself holds tasks only weakly
    task.add_done_callback(_forget)
    task.cancel()
    await asyncio.wait({task}, timeout=STOPPING_TIME)
    if not task.done():
        _log.warning("tool does not stop and is left behind", tool=name)


def _forget(task: asyncio.Task[Any]) -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()  # seen; else asyncio would log it, with the arguments that may be in its message


async def in_thread(function: Callable[..., Result], /, *arguments: Any, **named: Any) -> Result:
    """Calls a function that blocks in one of the tools' threads, with the caller's context variables.

    When cancelled, a call that still waits for a thread never starts. One that runs cannot be stopped: its thread is
    left to it, and the log says so.
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
