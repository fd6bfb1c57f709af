"""The session pool: how many sessions it keeps, for how long, and who gets them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai.types.realtime import SessionUpdateEvent

from local.model import SimulatedModel
from local.model.faults import (
    FailSession,
    Fault,
    IgnoreUpdate,
    RefuseHandshake,
    RejectUpdate,
    SlowHandshake,
    WrongFormats,
)
from tests.worker.conftest import worker_settings
from tests.worker.dialogue import agent
from worker.engines.realtime import session_pool
from worker.engines.realtime.session import session_update
from worker.engines.realtime.session_pool import PooledSession, Reservation, SessionNotReady, SessionPool, open_pooled


async def test_open_pooled() -> None:
    """The session is configured for the agent and confirmed, and nothing else was sent."""
    async with SimulatedModel() as model:
        pooled = await open_pooled(worker_settings("table", "queue", model.url), agent())
        session = await model.session()
        assert [event.event["type"] for event in session.sent] == ["session.created", "session.updated"]
        (update,) = (event.event for event in session.received)
        SessionUpdateEvent.model_validate(update, strict=True)
        assert update == pooled.update == session_update(agent(), "auto")
        assert pooled.session.audio.input.format.type == "audio/pcmu"
        assert 3500 < (pooled.left_s or 0) <= 3600
        pooled.socket.close()
        await session.wait_closed()


async def test_safety_identifier() -> None:
    """Each pooled session has its own: an abuse report about one does not concern all callers."""
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        one, other = [await open_pooled(settings, agent()) for _ in range(2)]
        names = [session.headers["OpenAI-Safety-Identifier"] for session in model.sessions]
        assert names == [one.identifier, other.identifier]
        assert one.identifier != other.identifier
        one.socket.close()
        other.socket.close()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (RefuseHandshake(401), "model_refused_connection: HTTP 401"),
        (FailSession(), "model_error: insufficient_quota"),
        (RejectUpdate(), "model_error: unknown_parameter"),
        (WrongFormats(), "session_rejected: audio.input.format is audio/pcm, must be audio/pcmu"),
        (IgnoreUpdate(), "session_not_ready"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else "",
)
async def test_not_ready(fault: Fault, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that is not as requested is rejected, and its socket is closed."""
    monkeypatch.setattr(session_pool, "_CONFIGURED_WITHIN_S", 0.3 if isinstance(fault, IgnoreUpdate) else 20)
    async with SimulatedModel() as model:
        model.faults.add(fault)
        with pytest.raises(SessionNotReady) as failure:
            await open_pooled(worker_settings("table", "queue", model.url), agent())
        assert str(failure.value) == reason
        for session in model.sessions:
            await session.wait_closed()


@pytest.mark.parametrize(
    ("changes", "suits"),
    [
        ({}, True),
        ({"instructions": "You are somebody else.", "tools": (), "voice": "cedar"}, True),
        ({"max_output_tokens": 900}, True),
        ({"model": "gpt-realtime-2"}, False),
        ({"reasoning_effort": None}, False),
        ({"turn_detection": {"type": "semantic_vad"}}, False),
    ],
)
async def test_suits(changes: dict[str, Any], suits: bool) -> None:
    """It can serve another agent of the same model, unless a setting of the first agent would remain."""
    settings: dict[str, Any] = {"reasoning_effort": "low"}
    async with SimulatedModel() as model:
        pooled = await open_pooled(worker_settings("table", "queue", model.url), agent(**settings))
        assert pooled.suits(agent(**{**settings, **changes})) is suits
        pooled.socket.close()


class RunningPool:
    """A session pool and its simulated model."""

    def __init__(self, model: SimulatedModel, session_pool: SessionPool) -> None:
        self.model = model
        self.session_pool = session_pool

    @property
    def open(self) -> int:
        return sum(session.close_code is None for session in self.model.sessions)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.01)

    async def ready(self, count: int) -> None:
        await self.until(lambda: len(self.session_pool._standing) == count)


@asynccontextmanager
async def running_pool(count: int, *faults: Any) -> AsyncIterator[RunningPool]:
    """A session pool for one test."""
    async with SimulatedModel() as model:
        model.faults.add(*faults)
        pool = SessionPool(worker_settings("table", "queue", model.url, session_pool_size=count), agent())
        keeping = asyncio.create_task(pool.keep())
        try:
            yield RunningPool(model, pool)
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            assert keeping.cancelled() or not keeping.exception()


def taken_at_once(reserved: Reservation | None) -> PooledSession:
    """Takes the session and checks that this does not wait: the coroutine ends without a turn of the event loop."""
    assert reserved
    with pytest.raises(StopIteration) as end:
        reserved.take(agent(), "CA1").send(None)
    assert isinstance(end.value.value, PooledSession)
    return end.value.value


async def test_a_taken_session_is_not_referenced() -> None:
    """The session's data, some KiB, is freed when the call has used it, not when the stream ends."""
    async with running_pool(1) as pool:
        await pool.ready(1)
        reserved = pool.session_pool.reserve()
        session = taken_at_once(reserved)
        assert not [holder for holder in gc.get_referrers(session) if isinstance(holder, asyncio.Future)]
        assert reserved
        reserved.release()
        assert session.socket.is_open
        session.socket.close()


async def test_taken_without_waiting() -> None:
    """The pool has the set number of sessions; one that is taken is replaced, and no more are opened."""
    async with running_pool(2) as pool:
        await pool.ready(2)
        first = taken_at_once(pool.session_pool.reserve())
        await pool.ready(2)
        assert len(pool.model.sessions) == pool.open == 3
        second = taken_at_once(pool.session_pool.reserve_open())
        await pool.ready(2)
        assert len(pool.model.sessions) == pool.open == 4
        first.socket.close()
        second.socket.close()


async def test_drain() -> None:
    """When the pool stops, its sessions are closed, except the one that a call has taken."""
    async with running_pool(2) as pool:
        await pool.ready(2)
        taken = taken_at_once(pool.session_pool.reserve())
        await pool.ready(2)
    assert [session.close_code for session in pool.model.sessions] == [1001, 1000, 1000]
    taken.socket.close()


async def test_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the model closes is replaced, and never given to a call."""
    monkeypatch.setattr(session_pool, "_SHORTEST_LIFE_S", 0)
    async with running_pool(1) as pool:
        await pool.ready(1)
        await pool.model.sessions[0].expire()
        await pool.model.session(2)
        await pool.ready(1)
        taken_at_once(pool.session_pool.reserve()).socket.close()
        assert pool.model.sessions[0].close_code == 1001


async def test_lost_at_once() -> None:
    """If the model closes a new session at once, the next one is opened only after a pause."""
    async with running_pool(1) as pool:
        await pool.ready(1)
        await pool.model.sessions[0].expire()
        await pool.ready(0)
        await asyncio.sleep(0.1)
        assert len(pool.model.sessions) == 1


async def test_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old session is replaced, so that few calls need a second one."""
    monkeypatch.setattr(session_pool, "_SHORTEST_LIFE_S", 0)
    lives = iter([0.0])
    monkeypatch.setattr(session_pool, "_young_s", lambda _session: next(lives, 3600.0))
    async with running_pool(1) as pool:
        async with asyncio.timeout(20):
            old, new = await pool.model.session(), await pool.model.session(2)
            await old.wait_closed()
        await pool.ready(1)
        assert (old.close_code, new.close_code) == (1000, None)


@pytest.mark.parametrize("left_s", [3600.0, None])
def test_young(left_s: float | None) -> None:
    """A session stays in the pool for less than half of its life, if that is known, and for a random time."""

    class Session:
        def __init__(self) -> None:
            self.left_s = left_s

    young = {session_pool._young_s(Session()) for _ in range(20)}  # type: ignore[arg-type]  # only `left_s` is used
    assert max(young) <= 1800
    assert len(young) == (20 if left_s else 1)


async def test_a_refused_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the model refuses, it gets one request for the whole pool, and then a pause."""
    monkeypatch.setattr(session_pool, "_PAUSES_S", (3600,))
    refusals = [RefuseHandshake(401) for _ in range(4)]
    async with running_pool(4, *refusals) as pool:
        await pool.until(lambda: len(pool.model.faults._waiting) == 3)
        await asyncio.sleep(0.1)
        assert len(pool.model.faults._waiting) == 3
        assert not pool.model.sessions


async def test_refused_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses grow to the longest; when the model accepts again, the pool fills up."""
    monkeypatch.setattr(session_pool, "_PAUSES_S", (0, 0.01))
    async with running_pool(2, *[RefuseHandshake(503) for _ in range(4)]) as pool:
        await pool.ready(2)
        assert len(pool.model.sessions) == 2


async def test_empty_pool() -> None:
    """`reserve` opens a session at once; `reserve_open` gives only one that is open."""
    async with running_pool(1, SlowHandshake(for_ever=True)) as pool:
        await pool.until(lambda: not pool.model.faults._waiting)
        assert pool.session_pool.reserve_open() is None
        reserved = pool.session_pool.reserve()
        assert reserved
        session = await reserved.take(agent(), "CA1")
        assert session
        reserved.release()  # has no effect on a taken session
        assert pool.open == 1
        session.socket.close()


@pytest.mark.parametrize("wait", [True, False], ids=["open", "being opened"])
async def test_released(wait: bool) -> None:
    """The session of a stream that is not admitted is closed, or its opening is cancelled."""
    async with running_pool(1, *([] if wait else [SlowHandshake(for_ever=True)])) as pool:
        await (pool.ready(1) if wait else pool.until(lambda: not pool.model.faults._waiting))
        reserved = pool.session_pool.reserve()
        assert reserved
        session = await pool.model.session()
        reserved.release()
        await session.wait_closed()


async def test_another_agent() -> None:
    """A session that does not suit the agent is closed, and the call opens its own."""
    async with running_pool(1) as pool:
        await pool.ready(1)
        reserved = pool.session_pool.reserve()
        assert reserved
        assert await reserved.take(agent(model="gpt-realtime-2"), "CA1") is None
        await (await pool.model.session()).wait_closed()


async def test_the_model_refuses() -> None:
    """If the reserved session cannot be opened, the call opens its own."""
    async with running_pool(1, SlowHandshake(for_ever=True)) as pool:
        await pool.until(lambda: not pool.model.faults._waiting)
        pool.model.faults.add(RefuseHandshake(401))
        reserved = pool.session_pool.reserve()
        assert reserved
        assert await reserved.take(agent(), "CA1") is None


async def test_switched_off() -> None:
    """With a pool size of 0 no session is opened in advance, not even for a signed stream."""
    async with running_pool(0) as pool:
        assert pool.session_pool.reserve() is pool.session_pool.reserve_open() is None
        await asyncio.sleep(0.05)
        assert not pool.model.sessions
