"""The session pool: sessions opened in advance, so that a new call does not wait for the connection to the model."""

import asyncio
import itertools
import random
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from shared.logs import logger, metric
from worker.agents import Agent
from worker.engines.realtime import events
from worker.engines.realtime.connection import ModelUnreachable, open_session
from worker.engines.realtime.events import MalformedEvent, Session, SessionCreated, SessionUpdated
from worker.engines.realtime.session import replaces_all, session_update, wrong_format
from worker.engines.realtime.turns import ToolPolicy
from worker.faults import report_fault, supervised
from worker.settings import WorkerSettings
from worker.websocket.client import ClientSocket
from worker.websocket.receiver import SocketLost

# Shorter than a call's own time-out: a call that waits for this session can still open another.
_CONFIGURED_WITHIN_S: Final = 5

_E = TypeVar("_E", SessionCreated, SessionUpdated)


class SessionNotReady(Exception):
    """The model gave no session, or not the requested one. The message contains no secret and may be logged."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledSession:
    """`session` is as the server confirmed it after our `update` (a `session.update`). Its socket has no receiver."""

    socket: ClientSocket
    identifier: str  # the safety identifier, by which OpenAI reports abuse
    model: str
    session: Session
    update: dict[str, Any]

    def suits(self, agent: Agent) -> bool:
        """Whether it fits this agent, or can be reconfigured for it."""
        return agent.model == self.model and replaces_all(self.update, session_update(agent, "auto"))

    @property
    def left_s(self) -> float | None:
        """The seconds until it expires; None if the server has not said when."""
        expires_at = self.session.expires_at
        return None if expires_at is None else expires_at - time.time()


async def open_pooled(settings: WorkerSettings, agent: Agent) -> PooledSession:
    """Opens a session and configures it for the agent; raises `SessionNotReady`.

    The caller is not known yet, so the safety identifier stands for this session, as OpenAI advises in that case.
    """
    identifier = secrets.token_hex(32)
    try:
        socket = await open_session(settings.openai_base_url, settings.openai_api_key, agent.model, identifier)
    except ModelUnreachable as unreachable:
        raise SessionNotReady(str(unreachable)) from unreachable
    try:
        async with asyncio.timeout(_CONFIGURED_WITHIN_S):
            return await _configured(socket, identifier, agent)
    except BaseException as failure:
        socket.close()
        match failure:
            case TimeoutError():
                raise SessionNotReady("session_not_ready") from failure
            case SocketLost():
                raise SessionNotReady(f"model_closed: {failure.code}") from failure
            case MalformedEvent():
                metric("worker", "ModelMalformed")
                raise SessionNotReady(f"model_malformed: {failure}") from failure
        raise


async def _configured(socket: ClientSocket, identifier: str, agent: Agent) -> PooledSession:
    created = await _next(socket, SessionCreated)
    update = session_update(agent, ToolPolicy(agent.tool_choice).for_caller_turn)
    socket.send(msgspec.json.encode(update))
    updated = await _next(socket, SessionUpdated)
    if wrong := wrong_format(updated.session):
        raise SessionNotReady(f"session_rejected: {wrong}")
    expires_at = updated.session.expires_at or created.session.expires_at
    session = msgspec.structs.replace(updated.session, expires_at=expires_at)
    return PooledSession(socket, identifier, agent.model, session, update)


async def _next(socket: ClientSocket, kind: type[_E]) -> _E:
    while True:
        event = events.decode(await socket.receive())
        if isinstance(event, kind):
            return event
        if isinstance(event, events.Error):
            raise SessionNotReady(f"model_error: {event.error.code or event.error.type}")


# Pause after the first, second, … failure in a row. Long, because our key may be refused and a call opens its own.
_PAUSES_S: Final = (1, 5, 30, 120, 300)
# A session that is lost earlier than this is replaced only after this time.
_SHORTEST_LIFE_S: Final = 60
# A pooled session is replaced after this share of its life, so that few calls outlive it; random, to spread the load.
_YOUNG: Final = (0.3, 0.5)
_UNKNOWN_LIFE_S: Final = 900  # after which it is replaced if the server does not say when it expires

_log = logger("worker")


class Reservation:
    """A session reserved for one stream. It is open, or still being opened."""

    def __init__(self, opening: asyncio.Future[PooledSession]) -> None:
        # None once it is taken or released, so that the session's data does not stay in memory during the call.
        self._opening: asyncio.Future[PooledSession] | None = opening

    async def take(self, agent: Agent, call_sid: str) -> PooledSession | None:
        """Returns the session if it suits the agent, else None. Waits only if it is still being opened."""
        if (opening := self._opening) is None:
            return None
        was_open = opening.done()
        try:
            session = await opening
            suits = session.suits(agent) and session.socket.is_open
        except SessionNotReady as failure:
            _log.warning("pooled session not opened", call_sid=call_sid, error=str(failure))
            suits = False
        except Exception as fault:  # noqa: BLE001 - only this session is lost; the call opens its own
            report_fault("pooled session not opened", fault, call_sid=call_sid)
            suits = False
        metric("worker", "SessionPoolHits" if was_open and suits else "SessionPoolMisses")
        if not suits:
            self.release()
            return None
        self._opening = None
        _log.info("pooled session taken", call_sid=call_sid, safety_identifier=session.identifier)
        return session

    def release(self) -> None:
        """Closes the session, unless it was taken."""
        opening, self._opening = self._opening, None
        if opening is None or opening.cancel() or opening.cancelled() or opening.exception():
            return
        opening.result().socket.close()


class SessionPool:
    """Keeps `SESSION_POOL_SIZE` sessions open for the default agent."""

    def __init__(self, settings: WorkerSettings, agent: Agent) -> None:
        self._settings = settings
        self._agent = agent
        self._standing: dict[
            PooledSession, asyncio.Future[None]
        ] = {}  # oldest first; the future is done when the session is taken
        self._opening = asyncio.Lock()

    # For streams

    def reserve(self) -> Reservation | None:
        """Reserves an open session, or starts to open one; None if the pool is switched off."""
        if not self._settings.session_pool_size:
            return None
        if session := self._take():
            return Reservation(session)
        return Reservation(asyncio.ensure_future(open_pooled(self._settings, self._agent)))

    def reserve_open(self) -> Reservation | None:
        """Reserves an open session; None if there is none."""
        if not self._settings.session_pool_size:
            return None
        if session := self._take():
            return Reservation(session)
        metric("worker", "SessionPoolMisses")
        return None

    def _take(self) -> asyncio.Future[PooledSession] | None:
        for session, taken in self._standing.items():
            if session.socket.is_open:
                del self._standing[session]
                taken.set_result(None)
                self._report()
                reserved: asyncio.Future[PooledSession] = taken.get_loop().create_future()
                reserved.set_result(session)
                return reserved
        return None

    # Maintenance

    async def keep(self) -> None:
        """Opens the sessions and replaces those that are taken, lost or old. When cancelled, it closes them."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._settings.session_pool_size):
                tasks.create_task(supervised("pooled session", self._keep_one))

    async def _keep_one(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            session = await self._open()
            replace_at = loop.time() + _SHORTEST_LIFE_S
            if not await self._wait_taken(session):
                await asyncio.sleep(replace_at - loop.time())

    async def _open(self) -> PooledSession:
        """Opens one session at a time and pauses after failures, so that a model that refuses gets few requests."""
        async with self._opening:
            for pause_s in itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1])):
                try:
                    return await open_pooled(self._settings, self._agent)
                except SessionNotReady as failure:
                    _log.warning("session pool could not open a session", error=str(failure), next_try_s=pause_s)
                except Exception as fault:  # noqa: BLE001 - only this session is affected
                    report_fault("session pool could not open a session", fault, next_try_s=pause_s)
                metric("worker", "SessionPoolFailures")
                await asyncio.sleep(pause_s)
        raise AssertionError("unreachable: the retries are endless")

    async def _wait_taken(self, session: PooledSession) -> bool:
        """Waits until the session is taken (True), or is lost or too old (False)."""
        taken = self._standing[session] = asyncio.get_running_loop().create_future()
        gone = asyncio.ensure_future(session.socket.wait_closed())
        self._report()
        try:
            await asyncio.wait((taken, gone), timeout=_young_s(session), return_when=asyncio.FIRST_COMPLETED)
            return taken.done()
        finally:
            gone.cancel()
            if self._standing.pop(session, None):
                self._report()
                session.socket.close()
                await session.socket.wait_closed()

    def _report(self) -> None:
        metric("worker", "PooledSessions", len(self._standing))


def _young_s(session: PooledSession) -> float:
    life_s = session.left_s
    return _UNKNOWN_LIFE_S if life_s is None else life_s * random.uniform(*_YOUNG)  # noqa: S311 - nothing to guess
