"""Faults of our own code. Each is logged with its trace, is counted, and stays where it happened."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from shared.logs import logger, metric

# Before work that has failed is begun again: after the first, second, … time in a row.
_PAUSES_S: Final = (1, 5, 15)
_LONG_S: Final = 60  # work that has run for so long has not failed in a row

_log = logger("worker")


def report_fault(message: str, fault: BaseException | None, **where: object) -> None:
    """Logs a fault with its trace, and counts it."""
    _log.error(message, exc_info=fault, extra=where)
    metric("worker", "WorkerFaults")


def report_loop_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's exception handler: for what is raised where nobody waits for it."""
    report_fault("fault in the event loop", context.get("exception"), what=context["message"])


async def supervised(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Does `work` until it returns, or until this is cancelled; begins it again, after a pause, when it fails.

    A fault in it must not end the worker, and must not stop this work for good.
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
            fault: BaseException = cancelled  # that of something it waited for
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - that none gets past here is what it is for
            fault = raised
        failures = 1 if loop.time() - began > _LONG_S else failures + 1
        pause_s = _PAUSES_S[min(failures, len(_PAUSES_S)) - 1]
        report_fault("background work failed", fault, work=name, next_try_s=pause_s)
        if _is_cancelled():
            raise asyncio.CancelledError
        await asyncio.sleep(pause_s)


def _is_cancelled() -> bool:
    """Whether somebody wants the present task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
