"""How calls leave a worker that must stop: a few at a time, those first in which nobody speaks just then."""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Final

from shared.logs import logger
from worker.call.bridge import Bridge

# All at once would wait for each other: at the functions, at the table, and at the worker that gets them.
_AT_ONCE: Final = 4
_POLL_INTERVAL_S: Final = 0.1

_log = logger("worker")


async def move_calls(calls: AbstractSet[Bridge], by: float) -> None:
    """Moves the calls to other workers, each between two turns; those that never pause, together at `by`.

    `calls` is looked at as it changes; `by` is on the event loop's clock. Runs until it is cancelled.
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
