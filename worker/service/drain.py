"""Moves calls away from a worker that must stop: a few at a time, first those in which nobody speaks."""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Final

from shared.logs import logger
from worker.call.bridge import Bridge

# More at once would slow each other down: at the functions, at the table, and at the worker that takes them.
_AT_ONCE: Final = 4
_POLL_INTERVAL_S: Final = 0.1

_log = logger("worker")


async def move_calls(calls: AbstractSet[Bridge], by: float) -> None:
    """Moves each call to another worker when nobody speaks in it; at `by`, moves all that are left.

    `calls` may change meanwhile; `by` is a time of the event loop's clock. Runs until it is cancelled.
    """
    loop = asyncio.get_running_loop()
    leaving: set[Bridge] = set()
    while True:
        late = loop.time() >= by
        room = len(calls) if late else _AT_ONCE - len(leaving & calls)
        going = [call for call in calls - leaving if late or call.quiet][:room]
        for call in going:
            leaving.add(call)
            call.leave("worker_stopping")
        if going:
            _log.info("calls moved", calls=len(going), interrupted=late)
        await asyncio.sleep(_POLL_INTERVAL_S)
