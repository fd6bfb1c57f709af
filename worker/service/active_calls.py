"""Reports the number of calls to CloudWatch. ECS scales the service by its average over all tasks."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from shared.logs import metric
from worker.service.log_writer import never_dropped

_REPORT_EVERY_S: Final = 15.0

# Acts on the number of calls that it is given a function for, until it is cancelled.
CallsWatch = Callable[[Callable[[], int]], Coroutine[Any, Any, None]]


async def report_active_calls(calls: Callable[[], int]) -> None:
    """Runs until it is cancelled."""
    while True:
        with never_dropped():  # the number of tasks goes by it
            metric("worker", "ActiveCalls", calls())
        await asyncio.sleep(_REPORT_EVERY_S)
