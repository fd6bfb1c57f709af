"""The table and the queue from the event loop, with time limits."""

import asyncio
import threading
from typing import Any

import pytest

from shared.calls.store import CallEnd, CallStore, StoreUnavailable
from shared.escalations.queue import EscalationNotSent, EscalationQueue
from shared.escalations.store import EscalationStore
from tests.escalations import escalation
from worker import storage
from worker.storage import Storage


class _Stuck:
    """Stands in for AWS at its worst: no answer at all, until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return lambda **_: self.let_go.wait(30)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A storage on services that never answer, with a short limit."""
    monkeypatch.setattr(storage, "_LIMIT_S", 0.05)
    service: Any = _Stuck()
    yield Storage(CallStore("table", service), EscalationQueue("url", service), EscalationStore("table", service))
    service.let_go.set()


async def test_time_limits(stuck: Storage) -> None:
    """A service that does not answer is an error of its kind, and the loop goes on meanwhile."""
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
        await stuck.life("CA1-1")
    with pytest.raises(EscalationNotSent, match="no answer in time"):
        await stuck.send(escalation())
    ticking.cancel()
    assert ticks > 3
