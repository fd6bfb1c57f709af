"""Faults (unexpected exceptions) of our own code: each is logged with its trace, counted, and contained."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from shared.logs import logger, metric

# The pause before a restart, by the number of failures in a row; the last value repeats.
_PAUSES_S: Final = (1, 5, 15)
_RESET_AFTER_S: Final = 60  # work that ran this long before it failed starts again at the first pause

_log = logger("worker")


def report_fault(message: str, fault: BaseException | None, **where: object) -> None:
    """Logs a fault with its trace and the fields `where`, and counts it."""
    _log.error(message, exc_info=fault, extra=where)
    metric("worker", "WorkerFaults")


def report_loop_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's exception handler: reports exceptions that no task awaits."""
    report_fault("fault in the event loop", context.get("exception"), what=context["message"])


async def supervised(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` until it returns or this task is cancelled; after a fault, restarts it with a backoff.

    So a fault neither ends the worker nor stops this work permanently. `name` is for the log.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        began = loop.time()
        try:
            return await work()
        except asyncio.CancelledError as cancelled:
            if _is_cancelled():
                raise
            fault: BaseException = cancelled  # of something that the work awaited, not of this task
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - contains every fault
            fault = raised
        failures = 1 if loop.time() - began > _RESET_AFTER_S else failures + 1
        pause_s = _PAUSES_S[min(failures, len(_PAUSES_S)) - 1]
        report_fault("background work failed", fault, work=name, next_try_s=pause_s)
        if _is_cancelled():
            raise asyncio.CancelledError
        await asyncio.sleep(pause_s)


def _is_cancelled() -> bool:
    """Whether the current task itself is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
