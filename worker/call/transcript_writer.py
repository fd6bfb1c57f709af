"""Writes a call's turns down while it goes on, so that another worker could take it up."""

import asyncio
from collections.abc import Iterable

from shared.calls.store import StoreUnavailable
from shared.calls.transcript import TranscriptEntry
from shared.logs import logger
from worker.faults import report_fault
from worker.storage import Storage

_log = logger("worker")


class TranscriptWriter:
    """One write at a time; what has come meanwhile, or could not be written, goes with the next."""

    def __init__(self, storage: Storage, call_sid: str, resumptions: int = 0) -> None:
        self._storage = storage
        self._call_sid = call_sid
        self._resumptions = resumptions
        self._unkept: dict[int, TranscriptEntry] = {}
        self._keeping: asyncio.Task[None] | None = None

    def keep(self, turns: Iterable[tuple[int, TranscriptEntry]]) -> None:
        """Has turns written, each by its place in the conversation; returns at once."""
        self._unkept.update(turns)
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())

    async def finish(self) -> None:
        """Tries once more what could not be written, and waits until nothing is being written."""
        if self._keeping:
            await self._keeping
        if self._unkept:
            await self._keep()

    async def _keep(self) -> None:
        while self._unkept:
            turns, self._unkept = self._unkept, {}
            try:
                await self._storage.keep_turns(self._call_sid, turns.items(), resumptions=self._resumptions)
            except StoreUnavailable as failure:
                _log.warning("turns not kept", call_sid=self._call_sid, error=str(failure))
                self._unkept = turns | self._unkept
                return
            except Exception as fault:  # noqa: BLE001 - it costs these turns, and not the record of the call's end
                report_fault("turns not kept", fault, call_sid=self._call_sid)
                return
