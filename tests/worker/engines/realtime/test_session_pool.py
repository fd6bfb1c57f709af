"""The sessions that stand ready: how many, for how long, and what becomes of them."""

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


async def test_ready() -> None:
    """What the agent asks for has been confirmed, and nothing else was sent."""
    async with SimulatedModel() as model:
        ready = await open_pooled(worker_settings("table", "queue", model.url), agent())
        session = await model.session()
        assert [event.event["type"] for event in session.sent] == ["session.created", "session.updated"]
        (update,) = (event.event for event in session.received)
        SessionUpdateEvent.model_validate(update, strict=True)
        assert update == ready.update == session_update(agent(), "auto")
        assert ready.session.audio.input.format.type == "audio/pcmu"
        assert 3500 < (ready.left_s or 0) <= 3600
        ready.socket.close()
        await session.wait_closed()


async def test_names_no_caller() -> None:
    """Its safety identifier is its own: OpenAI's word on one session is not its word on all callers."""
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
    """A session that is not what was asked for is none, and its socket is closed."""
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
    """It can serve another agent of the same model, unless a setting of the first one's would stay behind."""
    asked: dict[str, Any] = {"reasoning_effort": "low"}
    async with SimulatedModel() as model:
        ready = await open_pooled(worker_settings("table", "queue", model.url), agent(**asked))
        assert ready.suits(agent(**{**asked, **changes})) is suits
        ready.socket.close()


class Stand:
    """Ready sessions, and their model."""

    def __init__(self, model: SimulatedModel, sessions: SessionPool) -> None:
        self.model = model
        self.sessions = sessions

    @property
    def open(self) -> int:
        return sum(session.close_code is None for session in self.model.sessions)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.01)

    async def ready(self, count: int) -> None:
        await self.until(lambda: len(self.sessions._standing) == count)


@asynccontextmanager
async def standing(count: int, *faults: Any) -> AsyncIterator[Stand]:
    """Sessions of a test's own."""
    async with SimulatedModel() as model:
        model.faults.add(*faults)
        sessions = SessionPool(worker_settings("table", "queue", model.url, session_pool_size=count), agent())
        keeping = asyncio.create_task(sessions.keep())
        try:
            yield Stand(model, sessions)
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            assert keeping.cancelled() or not keeping.exception()


def taken_at_once(reserved: Reservation | None) -> PooledSession:
    """The session, which must not be waited for: the coroutine ends before it has given the loop a turn."""
    assert reserved
    with pytest.raises(StopIteration) as end:
        reserved.take(agent(), "CA1").send(None)
    assert isinstance(end.value.value, PooledSession)
    return end.value.value


async def test_what_was_taken_is_not_kept() -> None:
    """What a session was asked for and told, some KiB, goes when the call has seen it, and not with the stream."""
    async with standing(1) as stand:
        await stand.ready(1)
        reserved = stand.sessions.reserve()
        session = taken_at_once(reserved)
        assert not [holder for holder in gc.get_referrers(session) if isinstance(holder, asyncio.Future)]
        assert reserved
        reserved.release()
        assert session.socket.is_open
        session.socket.close()


async def test_taken_without_waiting() -> None:
    """As many stand as were asked for; one that is taken is replaced, so that there are as many again and no more."""
    async with standing(2) as stand:
        await stand.ready(2)
        first = taken_at_once(stand.sessions.reserve())
        await stand.ready(2)
        assert len(stand.model.sessions) == stand.open == 3
        second = taken_at_once(stand.sessions.reserve_open())
        await stand.ready(2)
        assert len(stand.model.sessions) == stand.open == 4
        first.socket.close()
        second.socket.close()


async def test_leaving_service() -> None:
    """Those that nobody has taken are closed; the one that a call has is the call's."""
    async with standing(2) as stand:
        await stand.ready(2)
        taken = taken_at_once(stand.sessions.reserve())
        await stand.ready(2)
    assert [session.close_code for session in stand.model.sessions] == [1001, 1000, 1000]
    taken.socket.close()


async def test_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the model closes is replaced, and never given to a call."""
    monkeypatch.setattr(session_pool, "_SHORTEST_LIFE_S", 0)
    async with standing(1) as stand:
        await stand.ready(1)
        await stand.model.sessions[0].expire()
        await stand.model.session(2)
        await stand.ready(1)
        taken_at_once(stand.sessions.reserve()).socket.close()
        assert stand.model.sessions[0].close_code == 1001


async def test_lost_at_once() -> None:
    """A model that closes what it has opened is not asked for the next at once, which would never end."""
    async with standing(1) as stand:
        await stand.ready(1)
        await stand.model.sessions[0].expire()
        await stand.ready(0)
        await asyncio.sleep(0.1)
        assert len(stand.model.sessions) == 1


async def test_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that has lived for a while is replaced, so that few calls need a second one."""
    monkeypatch.setattr(session_pool, "_SHORTEST_LIFE_S", 0)
    lives = iter([0.0])
    monkeypatch.setattr(session_pool, "_young_s", lambda _session: next(lives, 3600.0))
    async with standing(1) as stand:
        async with asyncio.timeout(20):
            old, new = await stand.model.session(), await stand.model.session(2)
            await old.wait_closed()
        await stand.ready(1)
        assert (old.close_code, new.close_code) == (1000, None)


@pytest.mark.parametrize("left_s", [3600.0, None])
def test_young(left_s: float | None) -> None:
    """For less than half of its life, if that is known; and not as long as the one beside it."""

    class Session:
        def __init__(self) -> None:
            self.left_s = left_s

    young = {session_pool._young_s(Session()) for _ in range(20)}  # type: ignore[arg-type]  # all that is looked at
    assert max(young) <= 1800
    assert len(young) == (20 if left_s else 1)


async def test_a_refused_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that refuses is asked once, whatever the number of sessions, and then not for a while."""
    monkeypatch.setattr(session_pool, "_PAUSES_S", (3600,))
    refusals = [RefuseHandshake(401) for _ in range(4)]
    async with standing(4, *refusals) as stand:
        await stand.until(lambda: len(stand.model.faults._waiting) == 3)
        await asyncio.sleep(0.1)
        assert len(stand.model.faults._waiting) == 3
        assert not stand.model.sessions


async def test_refused_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses grow to their longest, and once the model is back all the sessions stand."""
    monkeypatch.setattr(session_pool, "_PAUSES_S", (0, 0.01))
    async with standing(2, *[RefuseHandshake(503) for _ in range(4)]) as stand:
        await stand.ready(2)
        assert len(stand.model.sessions) == 2


async def test_none_stands() -> None:
    """For a signed stream one is opened then and there; for another, only what stands is given."""
    async with standing(1, SlowHandshake(for_ever=True)) as stand:
        await stand.until(lambda: not stand.model.faults._waiting)
        assert stand.sessions.reserve_open() is None
        reserved = stand.sessions.reserve()
        assert reserved
        session = await reserved.take(agent(), "CA1")
        assert session
        reserved.release()  # which is for those that nobody took
        assert stand.open == 1
        session.socket.close()


@pytest.mark.parametrize("wait", [True, False], ids=["stands", "being opened"])
async def test_released(wait: bool) -> None:
    """A session whose stream is not let in is closed, or is not opened to the end."""
    async with standing(1, *([] if wait else [SlowHandshake(for_ever=True)])) as stand:
        await (stand.ready(1) if wait else stand.until(lambda: not stand.model.faults._waiting))
        reserved = stand.sessions.reserve()
        assert reserved
        session = await stand.model.session()
        reserved.release()
        await session.wait_closed()


async def test_another_agent() -> None:
    """A session that cannot be made another agent's is closed, and the call opens its own."""
    async with standing(1) as stand:
        await stand.ready(1)
        reserved = stand.sessions.reserve()
        assert reserved
        assert await reserved.take(agent(model="gpt-realtime-2"), "CA1") is None
        await (await stand.model.session()).wait_closed()


async def test_the_model_refuses_meanwhile() -> None:
    """A session that could not be opened ahead is no session; the call tries for itself."""
    async with standing(1, SlowHandshake(for_ever=True)) as stand:
        await stand.until(lambda: not stand.model.faults._waiting)
        stand.model.faults.add(RefuseHandshake(401))
        reserved = stand.sessions.reserve()
        assert reserved
        assert await reserved.take(agent(), "CA1") is None


async def test_switched_off() -> None:
    """With none asked for, none is opened ahead of its call, not even for a signed stream."""
    async with standing(0) as stand:
        assert stand.sessions.reserve() is stand.sessions.reserve_open() is None
        await asyncio.sleep(0.05)
        assert not stand.model.sessions
