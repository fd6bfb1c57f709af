"""The calls of a whole task, as CloudWatch is told of them: the scaling goes by their average over all tasks."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from shared.logs import metric
from worker.log_writer import never_dropped

_REPORT_EVERY_S: Final = 15.0

# Goes by the number of calls in this task, until it is cancelled. Only whoever knows them all may see to it.
CallsWatch = Callable[[Callable[[], int]], Coroutine[Any, Any, None]]


async def report_active_calls(calls: Callable[[], int]) -> None:
    """Runs until it is cancelled."""
    while True:
        with never_dropped():  # the number of tasks goes by it
            metric("worker", "ActiveCalls", calls())
        await asyncio.sleep(_REPORT_EVERY_S)
