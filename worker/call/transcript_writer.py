"""Stores a call's transcript during the call, so that another worker can resume it."""

import asyncio
from collections.abc import Iterable

from shared.calls.store import StoreUnavailable
from shared.calls.transcript import TranscriptEntry
from shared.logs import logger
from worker.faults import report_fault
from worker.storage import Storage

_log = logger("worker")


class TranscriptWriter:
    """Writes one batch at a time. Entries that come meanwhile, or could not be written, go with the next batch."""

    def __init__(self, storage: Storage, call_sid: str, resumptions: int = 0) -> None:
        self._storage = storage
        self._call_sid = call_sid
        self._resumptions = resumptions
        self._unwritten: dict[int, TranscriptEntry] = {}
        self._writing: asyncio.Task[None] | None = None

    def keep(self, turns: Iterable[tuple[int, TranscriptEntry]]) -> None:
        """Starts to write entries, each with its place in the conversation; returns at once."""
        self._unwritten.update(turns)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def finish(self) -> None:
        """Waits for the running write, and tries once more to write what is left."""
        if self._writing:
            await self._writing
        if self._unwritten:
            await self._write()

    async def _write(self) -> None:
        while self._unwritten:
            turns, self._unwritten = self._unwritten, {}
            try:
                await self._storage.keep_turns(self._call_sid, turns.items(), resumptions=self._resumptions)
            except StoreUnavailable as failure:
                _log.warning("transcript entries not stored", call_sid=self._call_sid, error=str(failure))
                self._unwritten = turns | self._unwritten
                return
            except Exception as fault:  # noqa: BLE001 - the call's end must still be recorded
                report_fault("transcript entries not stored", fault, call_sid=self._call_sid)
                return
