"""The sessions that stand ready for the next calls, so that nobody waits for the model to be reached."""

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
from worker.engines.realtime.session import leaves_nothing_of, session_update, wrong_format
from worker.engines.realtime.turns import ToolPolicy
from worker.faults import report_fault, supervised
from worker.settings import WorkerSettings
from worker.websocket.client import ClientSocket
from worker.websocket.receiver import SocketLost

# Less than a call has patience for: should it be waiting for this one, it can still open one of its own.
_CONFIGURED_WITHIN_S: Final = 5

_E = TypeVar("_E", SessionCreated, SessionUpdated)


class SessionNotReady(Exception):
    """The model gave no session, or not the one that was asked for; the message is fit for the log."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledSession:
    """`session` is as the server told it after it was `asked` for. Nobody listens on its socket yet."""

    socket: ClientSocket
    identifier: str  # as OpenAI would name it in a complaint
    model: str
    session: Session
    asked: dict[str, Any]

    def suits(self, agent: Agent) -> bool:
        """It is, or can be made, the one that this agent asks for."""
        return agent.model == self.model and leaves_nothing_of(self.asked, session_update(agent, "auto"))

    @property
    def left_s(self) -> float | None:
        """How long it will live, in seconds, if the server has said so."""
        expires_at = self.session.expires_at
        return None if expires_at is None else expires_at - time.time()


async def open_pooled(settings: WorkerSettings, agent: Agent) -> PooledSession:
    """Opens a session and has the server confirm what the agent asks for; raises `NotReady`.

    Its safety identifier can name no caller, so it names this session, as OpenAI advises where users are not known.
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
    asked = session_update(agent, ToolPolicy(agent.tool_choice).for_caller_turn)
    socket.send(msgspec.json.encode(asked))
    updated = await _next(socket, SessionUpdated)
    if wrong := wrong_format(updated.session):
        raise SessionNotReady(f"session_rejected: {wrong}")
    expires_at = updated.session.expires_at or created.session.expires_at
    session = msgspec.structs.replace(updated.session, expires_at=expires_at)
    return PooledSession(socket, identifier, agent.model, session, asked)


async def _next(socket: ClientSocket, kind: type[_E]) -> _E:
    while True:
        event = events.decode(await socket.receive())
        if isinstance(event, kind):
            return event
        if isinstance(event, events.Error):
            raise SessionNotReady(f"model_error: {event.error.code or event.error.type}")


# After the first, second, … failure in a row; it may be our key that is refused, and nothing here is urgent.
_PAUSES_S: Final = (1, 5, 30, 120, 300)
# One that is lost sooner is not replaced sooner.
_SHORTEST_LIFE_S: Final = 60
# Only young ones are for calls, so that few calls need a second session; and not all grow old at the same time.
_YOUNG: Final = (0.3, 0.5)
_UNTOLD_S: Final = 900  # young, if the server does not say how long it lives

_log = logger("worker")


class Reservation:
    """A session that is kept for one stream. It stands ready, or is still being opened."""

    def __init__(self, opening: asyncio.Future[PooledSession]) -> None:
        # None when it was taken or released: what was asked for and told is not kept as long as the stream.
        self._opening: asyncio.Future[PooledSession] | None = opening

    async def take(self, agent: Agent, call_sid: str) -> PooledSession | None:
        """The session, if there is one that suits; only one that is still being opened is waited for."""
        if (opening := self._opening) is None:
            return None
        stood = opening.done()
        try:
            session = await opening
            suits = session.suits(agent) and session.socket.is_open
        except SessionNotReady as failure:
            _log.warning("no session was opened ahead", call_sid=call_sid, error=str(failure))
            suits = False
        except Exception as fault:  # noqa: BLE001 - it costs this session; the call opens its own
            report_fault("no session was opened ahead", fault, call_sid=call_sid)
            suits = False
        metric("worker", "SessionPoolHits" if stood and suits else "SessionPoolMisses")
        if not suits:
            self.release()
            return None
        self._opening = None
        _log.info("ready session taken", call_sid=call_sid, safety_identifier=session.identifier)
        return session

    def release(self) -> None:
        """Closes it, unless it was taken."""
        opening, self._opening = self._opening, None
        if opening is None or opening.cancel() or opening.cancelled() or opening.exception():
            return
        opening.result().socket.close()


class SessionPool:
    """Keeps as many as `SESSION_POOL_SIZE` says, for the default agent."""

    def __init__(self, settings: WorkerSettings, agent: Agent) -> None:
        self._settings = settings
        self._agent = agent
        self._standing: dict[PooledSession, asyncio.Future[None]] = {}  # the oldest first; done when it is taken
        self._one_at_a_time = asyncio.Lock()

    # For streams

    def reserve(self) -> Reservation | None:
        """One that stands, or else one that is opened now; None if nothing is to be opened ahead of its call."""
        if not self._settings.session_pool_size:
            return None
        if session := self._take():
            return Reservation(session)
        return Reservation(asyncio.ensure_future(open_pooled(self._settings, self._agent)))

    def reserve_open(self) -> Reservation | None:
        """One that stands, or none."""
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

    # Keeping them

    async def keep(self) -> None:
        """Opens them, and replaces what is taken, lost or old; runs until it is cancelled, and closes them then."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._settings.session_pool_size):
                tasks.create_task(supervised("ready session", self._keep_one))

    async def _keep_one(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            session = await self._open()
            soonest = loop.time() + _SHORTEST_LIFE_S
            if not await self._stand(session):
                await asyncio.sleep(soonest - loop.time())

    async def _open(self) -> PooledSession:
        """One after the other, so that a model that refuses is asked by one, and by that one not at once again."""
        async with self._one_at_a_time:
            for pause_s in itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1])):
                try:
                    return await open_pooled(self._settings, self._agent)
                except SessionNotReady as failure:
                    _log.warning("no session could be made ready", error=str(failure), next_try_s=pause_s)
                except Exception as fault:  # noqa: BLE001 - it costs this session and no other
                    report_fault("no session could be made ready", fault, next_try_s=pause_s)
                metric("worker", "SessionPoolFailures")
                await asyncio.sleep(pause_s)
        raise AssertionError("the pauses have no end")

    async def _stand(self, session: PooledSession) -> bool:
        """Returns when the session is taken (True), or of no use any more."""
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
    return _UNTOLD_S if life_s is None else life_s * random.uniform(*_YOUNG)  # noqa: S311 - nothing to guess
