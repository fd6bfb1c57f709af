"""The table and the queue for code on the event loop. AWS's SDK blocks, so it runs in threads with time limits."""

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

# About as long as a write takes. With hundreds of calls, a batch holds dozens of transcript entries.
_BATCH_INTERVAL_S: Final = 0.1


class BatchWriter:
    """Collects transcript entries for 0.1 s and passes them to `write`, one batch after the other."""

    def __init__(self, write: Callable[[Turns], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[Turns, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, turns: Turns) -> None:
        """Returns when the entries are written; raises what `write` raises."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((turns, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(_BATCH_INTERVAL_S)
            batch, self._waiting = self._waiting, []
            failure = await self._write_batch({place: turn for turns, _ in batch for place, turn in turns.items()})
            for _, written in batch:
                if written.done():
                    continue  # its caller was cancelled
                if failure:
                    written.set_exception(failure)
                else:
                    written.set_result(None)

    async def _write_batch(self, turns: Turns) -> Exception | None:
        try:
            await self._write(turns)
        except Exception as failure:  # noqa: BLE001 - raised in each `keep` of this batch
            return failure
        return None


# Longer than the clients' own limits together, so that their more precise errors come first.
_LIMIT_S: Final = 9
# Each call writes one claim and one end: even calls that start together hardly wait for a thread.
_THREADS: Final = 32
# A check takes a few milliseconds, so this is enough for hundreds of callers who wait for a person.
_CHECK_THREADS: Final = 8

Answer = TypeVar("Answer")


class Storage:
    """The worker's access to the calls, the escalations and the escalation queue.

    It has its own threads, so a tool that blocks cannot delay the record of a call. The checks of escalations have a
    second pool, because they would fill the first one when the table hangs.
    """

    def __init__(self, store: CallStore, queue: EscalationQueue, escalations: EscalationStore) -> None:
        self._store = store
        self._queue = queue
        self._escalations = escalations
        self._batches = BatchWriter(self._write_turns)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")
        self._check_threads = ThreadPoolExecutor(_CHECK_THREADS, thread_name_prefix="checks")

    async def claim_stream(self, call_sid: str, token_id: str, *, caller: str, called: str) -> None:
        """Marks a stream token as used; raises `TokenAlreadyUsed`, or `StoreUnavailable` if that is not known."""
        await self._run(
            "claiming a stream token",
            lambda: self._store.claim_stream(call_sid, token_id, caller=caller, called=called),
        )

    async def record_end(
        self, call_sid: str, ended: CallEnd, details: Mapping[str, object], *, resumptions: int = 0
    ) -> None:
        """Records how a call ended; raises `ResumedMeanwhile` or `StoreUnavailable`."""
        await self._run(
            "recording the end of a call",
            lambda: self._store.record_end(call_sid, ended, details, resumptions=resumptions),
        )

    async def keep_turns(
        self, call_sid: str, turns: Iterable[tuple[int, TranscriptEntry]], *, resumptions: int = 0
    ) -> None:
        """Stores transcript entries by their place in the conversation; raises `StoreUnavailable`."""
        await self._batches.keep({(call_sid, place, resumptions): turn for place, turn in turns})

    async def _write_turns(self, turns: Turns) -> None:
        await self._run("writing transcript entries", lambda: self._store.keep_turns(turns))

    async def turns(self, call_sid: str) -> dict[int, TranscriptEntry]:
        """A call's stored transcript entries by their place, in order; raises `StoreUnavailable`."""
        return await self._run("reading transcript entries", lambda: self._store.turns(call_sid))

    async def send(self, escalation: Escalation) -> None:
        """Puts an escalation into the queue; raises `EscalationNotSent`."""
        await self._run("sending an escalation", lambda: self._queue.send(escalation), failure=EscalationNotSent)

    async def escalation_record(self, escalation_id: str) -> EscalationRecord | None:
        """An escalation's record; None if the alerts function has not created it. Raises `StoreUnavailable`."""
        return await self._run(
            "reading an escalation", lambda: self._escalations.get(escalation_id), threads=self._check_threads
        )

    async def escalation_records(self, call_sid: str) -> tuple[EscalationRecord, ...]:
        """The records of a call's escalations, ordered by number; raises `StoreUnavailable`."""
        return await self._run("reading a call's escalations", lambda: self._escalations.of_call(call_sid))

    async def _run(
        self,
        doing: str,
        work: Callable[[], Answer],
        *,
        threads: ThreadPoolExecutor | None = None,
        failure: type[Exception] = StoreUnavailable,
    ) -> Answer:
        """The result of `work`, which runs in a thread; raises `failure` when it takes too long."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                return await asyncio.get_running_loop().run_in_executor(threads or self._threads, work)
        except TimeoutError as late:
            raise failure(f"{doing}: no answer in time") from late

    def close(self) -> None:
        """Waits for running work and takes no more; checks that have not started are cancelled."""
        self._threads.shutdown()
        self._check_threads.shutdown(cancel_futures=True)
