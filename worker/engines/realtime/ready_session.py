"""A session that is opened and configured before the call that will use it is known."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from shared.logs import metric
from worker.agents import Agent
from worker.engines.realtime import events
from worker.engines.realtime.connection import ModelUnreachable, open_session
from worker.engines.realtime.events import MalformedEvent, Session, SessionCreated, SessionUpdated
from worker.engines.realtime.session import leaves_nothing_of, session_update, wrong_format
from worker.engines.realtime.turns import ToolPolicy
from worker.settings import WorkerSettings
from worker.websocket.client import ClientSocket
from worker.websocket.receiver import SocketLost

# Less than a call has patience for: should it be waiting for this one, it can still open one of its own.
_CONFIGURED_WITHIN_S: Final = 5

_E = TypeVar("_E", SessionCreated, SessionUpdated)


class NotReady(Exception):
    """The model gave no session, or not the one that was asked for; the message is fit for the log."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadySession:
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


async def open_ready(settings: WorkerSettings, agent: Agent) -> ReadySession:
    """Opens a session and has the server confirm what the agent asks for; raises `NotReady`.

    Its safety identifier can name no caller, so it names this session, as OpenAI advises where users are not known.
    """
    identifier = secrets.token_hex(32)
    try:
        socket = await open_session(settings.openai_base_url, settings.openai_api_key, agent.model, identifier)
    except ModelUnreachable as unreachable:
        raise NotReady(str(unreachable)) from unreachable
    try:
        async with asyncio.timeout(_CONFIGURED_WITHIN_S):
            return await _configured(socket, identifier, agent)
    except BaseException as failure:
        socket.close()
        match failure:
            case TimeoutError():
                raise NotReady("session_not_ready") from failure
            case SocketLost():
                raise NotReady(f"model_closed: {failure.code}") from failure
            case MalformedEvent():
                metric("worker", "ModelMalformed")
                raise NotReady(f"model_malformed: {failure}") from failure
        raise


async def _configured(socket: ClientSocket, identifier: str, agent: Agent) -> ReadySession:
    created = await _next(socket, SessionCreated)
    asked = session_update(agent, ToolPolicy(agent.tool_choice).for_caller_turn)
    socket.send(msgspec.json.encode(asked))
    updated = await _next(socket, SessionUpdated)
    if wrong := wrong_format(updated.session):
        raise NotReady(f"session_rejected: {wrong}")
    expires_at = updated.session.expires_at or created.session.expires_at
    session = msgspec.structs.replace(updated.session, expires_at=expires_at)
    return ReadySession(socket, identifier, agent.model, session, asked)


async def _next(socket: ClientSocket, kind: type[_E]) -> _E:
    while True:
        event = events.decode(await socket.receive())
        if isinstance(event, kind):
            return event
        if isinstance(event, events.Error):
            raise NotReady(f"model_error: {event.error.code or event.error.type}")
