"""The table and the queue for code on the event loop, with time limits."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.calls.ending import CallEnd
from shared.calls.store import CallStore, StoreUnavailable
from shared.calls.transcript import TranscriptEntry
from shared.escalations.queue import EscalationNotSent, EscalationQueue
from shared.escalations.store import EscalationStore
from tests.escalations import escalation
from worker import storage
from worker.storage import BatchWriter, Storage, Turns


class _Stuck:
    """Simulates an AWS service that does not answer until `released`."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return lambda **_: self.released.wait(30)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A storage whose services never answer, with a short time limit."""
    monkeypatch.setattr(storage, "_LIMIT_S", 0.05)
    service: Any = _Stuck()
    yield Storage(CallStore("table", service), EscalationQueue("url", service), EscalationStore("table", service))
    service.released.set()


async def test_time_limits(stuck: Storage) -> None:
    """A service that does not answer raises its error, and does not block the event loop."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await stuck.claim_stream("CA1", "t", caller="a", called="b")
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await stuck.record_end("CA1", CallEnd.FAILED, {})
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await stuck.escalation_record("CA1-1")
    with pytest.raises(EscalationNotSent, match="no answer in time"):
        await stuck.send(escalation())
    ticking.cancel()
    assert ticks > 3


def _turn(text: str) -> TranscriptEntry:
    return TranscriptEntry(role="caller", text=text, at=datetime(2026, 11, 22, 12, tzinfo=UTC))


async def test_one_write_for_many_calls() -> None:
    """Entries that come at about the same time are written together, each at its place."""
    written: list[Turns] = []

    async def write(turns: Turns) -> None:
        written.append(turns)

    batches = BatchWriter(write)
    everything = {(f"CA{call}", place, 0): _turn(f"{call} {place}") for call in range(20) for place in range(2)}
    await asyncio.gather(*(batches.keep({place: turn}) for place, turn in everything.items()))
    assert written == [everything]
    await batches.keep({("CA1", 2, 0): _turn("later")})
    assert len(written) == 2


async def test_one_write_after_the_other() -> None:
    """Writes do not overlap, so that an older version of an entry cannot overwrite a newer one."""
    free, begun = asyncio.Event(), asyncio.Event()
    written: list[Turns] = []

    async def write(turns: Turns) -> None:
        begun.set()
        await free.wait()
        written.append(turns)

    batches = BatchWriter(write)
    first = asyncio.create_task(batches.keep({("CA1", 0, 0): _turn("whole")}))
    await begun.wait()
    second = asyncio.create_task(batches.keep({("CA1", 0, 0): _turn("cut")}))
    await asyncio.sleep(0.2)
    assert not written
    free.set()
    await asyncio.gather(first, second)
    assert [turns[("CA1", 0, 0)].text for turns in written] == ["whole", "cut"]


async def test_a_write_that_fails() -> None:
    """Every `keep` in the batch raises the error, and the next batch is still written."""
    failures = [StoreUnavailable("away")]

    async def write(_turns: Turns) -> None:
        if failures:
            raise failures.pop()

    batches = BatchWriter(write)
    kept = [batches.keep({(f"CA{call}", 0, 0): _turn("a")}) for call in range(3)]
    ends = await asyncio.gather(*kept, return_exceptions=True)
    assert [type(end) for end in ends] == [StoreUnavailable] * 3
    await batches.keep({("CA1", 0, 0): _turn("a")})


async def test_a_cancelled_keep() -> None:
    """A cancelled `keep` does not stop the entries of other calls from being written."""
    written: list[Turns] = []

    async def write(turns: Turns) -> None:
        written.append(turns)

    batches = BatchWriter(write)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await batches.keep({("CA1", 0, 0): _turn("a")})
    await batches.keep({("CA2", 0, 0): _turn("b")})
    assert {place for turns in written for place in turns} == {("CA1", 0, 0), ("CA2", 0, 0)}
