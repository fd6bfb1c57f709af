"""The table and the queue for code on the event loop: AWS's SDK blocks, so it runs in threads, with time limits."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore, StoreUnavailable, TurnPlace
from shared.calls.transcript import TranscriptEntry
from shared.escalations.queue import EscalationNotSent, EscalationQueue
from shared.escalations.record import EscalationRecord
from shared.escalations.request import Escalation
from shared.escalations.store import EscalationStore

Turns = Mapping[TurnPlace, TranscriptEntry]

# Hardly longer than a write takes anyway; with hundreds of calls, dozens of turns come together in it.
_GATHER_S: Final = 0.1


class BatchWriter:
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


# Above what the clients' own limits add up to, so that it is they who say what went wrong.
_LIMIT_S: Final = 9
# A claim and a record a call: even calls that start together wait only as long as one of them takes.
_THREADS: Final = 32
# A look takes a few milliseconds, so this is enough for hundreds of callers who wait for a person.
_LOOKS: Final = 8

Answer = TypeVar("Answer")


class Storage:
    """What outlives the worker. Its threads are its own: no tool that blocks keeps a call from being recorded.

    Nor does the watch of escalations, which has its own as well: a table that hangs would soon have every look in it.
    """

    def __init__(self, store: CallStore, queue: EscalationQueue, escalations: EscalationStore) -> None:
        self._store = store
        self._queue = queue
        self._escalations = escalations
        self._batches = BatchWriter(self._write_turns)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")
        self._looks = ThreadPoolExecutor(_LOOKS, thread_name_prefix="looks")

    async def claim_stream(self, call_sid: str, token_id: str, *, caller: str, called: str) -> None:
        """Uses up a stream token; raises `TokenAlreadyUsed`, or `StoreUnavailable` if that cannot be known."""
        try:
            await self._run(lambda: self._store.claim_stream(call_sid, token_id, caller=caller, called=called))
        except TimeoutError as late:
            raise StoreUnavailable("claiming a stream token: no answer in time") from late

    async def record_end(
        self, call_sid: str, ended: CallEnd, details: Mapping[str, object], *, resumptions: int = 0
    ) -> None:
        """Remembers how a call ended; raises `ResumedMeanwhile` or `StoreUnavailable`."""
        try:
            await self._run(lambda: self._store.record_end(call_sid, ended, details, resumptions=resumptions))
        except TimeoutError as late:
            raise StoreUnavailable("recording the end of a call: no answer in time") from late

    async def keep_turns(
        self, call_sid: str, turns: Iterable[tuple[int, TranscriptEntry]], *, resumptions: int = 0
    ) -> None:
        """Keeps turns by their place in the conversation; raises `StoreUnavailable`."""
        await self._batches.keep({(call_sid, place, resumptions): turn for place, turn in turns})

    async def _write_turns(self, turns: Turns) -> None:
        try:
            await self._run(lambda: self._store.keep_turns(turns))
        except TimeoutError as late:
            raise StoreUnavailable("writing transcript entries: no answer in time") from late

    async def turns(self, call_sid: str) -> dict[int, TranscriptEntry]:
        """The turns kept of a call, in order, by their place; raises `StoreUnavailable`."""
        try:
            return await self._run(lambda: self._store.turns(call_sid))
        except TimeoutError as late:
            raise StoreUnavailable("reading turns: no answer in time") from late

    async def send(self, escalation: Escalation) -> None:
        """Puts an escalation into the queue; raises `EscalationNotSent`."""
        try:
            await self._run(lambda: self._queue.send(escalation))
        except TimeoutError as late:
            raise EscalationNotSent("sending an escalation: no answer in time") from late

    async def escalation_record(self, escalation_id: str) -> EscalationRecord | None:
        """What has become of an escalation; None if nobody has begun with it. Raises `StoreUnavailable`."""
        try:
            return await self._run(lambda: self._escalations.get(escalation_id), self._looks)
        except TimeoutError as late:
            raise StoreUnavailable("reading an escalation: no answer in time") from late

    async def escalation_records(self, call_sid: str) -> tuple[EscalationRecord, ...]:
        """The escalations of a call, by their number; raises `StoreUnavailable`."""
        try:
            return await self._run(lambda: self._escalations.of_call(call_sid))
        except TimeoutError as late:
            raise StoreUnavailable("reading a call's escalations: no answer in time") from late

    async def _run(self, work: Callable[[], Answer], threads: ThreadPoolExecutor | None = None) -> Answer:
        async with asyncio.timeout(_LIMIT_S):
            return await asyncio.get_running_loop().run_in_executor(threads or self._threads, work)

    def close(self) -> None:
        """Lets what is under way finish, and takes no more."""
        self._threads.shutdown()
        self._looks.shutdown(cancel_futures=True)
