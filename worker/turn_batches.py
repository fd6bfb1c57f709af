"""The turns of all calls, written many at a time: signing and sending a request costs more than what is in it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from shared.calls.store import TurnPlace
from shared.escalations.request import Turn

Turns = Mapping[TurnPlace, Turn]

# Hardly longer than a write takes anyway; with hundreds of calls, dozens of turns come together in it.
_GATHER_S: Final = 0.1


class TurnBatches:
    """Gathers turns for a moment and has them written by `write`, one batch after the other."""

    def __init__(self, write: Callable[[Turns], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[Turns, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, turns: Turns) -> None:
        """Returns when they are written; raises what `write` raises."""
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((turns, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await kept

    async def _write_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER_S)
            batch, self._waiting = self._waiting, []
            failure = await self._try({place: turn for turns, _ in batch for place, turn in turns.items()})
            for _, kept in batch:
                if kept.done():
                    continue  # nobody waits any more
                if failure:
                    kept.set_exception(failure)
                else:
                    kept.set_result(None)

    async def _try(self, turns: Turns) -> Exception | None:
        try:
            await self._write(turns)
        except Exception as failure:  # noqa: BLE001 - it is raised for everyone who waits
            return failure
        return None
