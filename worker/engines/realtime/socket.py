"""A call's socket to the model, and the spare one that will take its place."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from shared.logs import logger, metric
from worker.agents import Agent
from worker.conversation.effects import EffectResult, ModelLost, SessionReady, SpareNotOpened, SpareOpened
from worker.engines.realtime import events
from worker.engines.realtime.connection import ModelUnreachable, open_session, safety_identifier
from worker.engines.realtime.events import MalformedEvent, ModelEvent
from worker.engines.realtime.session_pool import Reservation
from worker.faults import report_fault
from worker.settings import WorkerSettings
from worker.tools import CallContext
from worker.websocket.client import ClientSocket

# How the API closes the socket of a client that speaks another version of it.
_NEVER_AGAIN: Final = 4000

_log = logger("worker")


class ModelSocket:
    """Opens sockets, feeds what the model says to the call, and tells it when the line is lost.

    It is the receiver of the socket that it holds.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        agent: Agent,
        info: CallContext,
        feed: Callable[[ModelEvent | EffectResult], None],
        reserved: Reservation | None = None,
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._info = info
        self._feed = feed
        self._reserved = reserved
        self._socket: ClientSocket | None = None
        self._spare: ClientSocket | None = None
        self._closing: list[ClientSocket] = []

    def disconnect(self) -> None:
        """Nothing more of the present socket counts; it is closed by and by."""
        if self._socket:
            self._socket.close()
            self._closing.append(self._socket)
            self._socket = None

    async def connect(self) -> None:
        """Takes what was reserved, the spare socket, or a new one, and listens until it is lost or let go."""
        try:
            if await self._take_reserved():
                return
            # Taken before anything is awaited: the next spare may be there by then.
            spare, self._spare = self._spare, None
            self._socket = spare or await self._open()
        except ModelUnreachable as unreachable:
            self._feed(ModelLost(str(unreachable), unreachable.final))
        except Exception as fault:  # noqa: BLE001 - it costs this try, and there are others
            report_fault("model not reached", fault, call_sid=self._info.call_sid)
            self._lose("worker_fault")
        else:
            self._socket.listen(self)

    async def _take_reserved(self) -> bool:
        """Waits for nothing if it stands ready."""
        reserved, self._reserved = self._reserved, None
        ready = await reserved.take(self._agent, self._info.call_sid) if reserved else None
        if ready is None:
            return False
        self._socket = ready.socket
        self._socket.listen(self)
        self._feed(SessionReady(ready.session, ready.asked))
        return True

    def received(self, message: bytes) -> None:
        """The model has sent an event."""
        try:
            self._receive(message)
        except MalformedEvent as malformed:
            _log.warning("model event malformed", call_sid=self._info.call_sid, error=str(malformed))
            metric("worker", "ModelMalformed")
            self._lose(f"model_malformed: {malformed}")
        except Exception as fault:  # noqa: BLE001 - it costs this session, and the call opens another
            report_fault("model's event failed", fault, call_sid=self._info.call_sid)
            self._lose("worker_fault")

    def _receive(self, message: bytes) -> None:
        event = events.decode(message)
        if event is None:
            return
        if type(event) is events.Error:
            self._note(event.error)
        self._feed(event)

    def other_frames(self, count: int) -> None:
        """Pings and pongs are the socket's own affair."""

    def lost(self, code: int | None) -> None:
        """The model has closed the socket, or it broke."""
        self._lose(f"model_closed: {code}", final=code == _NEVER_AGAIN)

    def _lose(self, reason: str, *, final: bool = False) -> None:
        try:
            self.disconnect()
        finally:
            self._feed(ModelLost(reason, final))

    async def open_spare(self) -> None:
        """Opens the socket that will be taken next."""
        try:
            spare = await self._open()
        except ModelUnreachable as unreachable:
            _log.warning("no spare session", call_sid=self._info.call_sid, error=str(unreachable))
            self._feed(SpareNotOpened())
            return
        except Exception as fault:  # noqa: BLE001 - it costs this try, and there are others
            report_fault("no spare session", fault, call_sid=self._info.call_sid)
            self._feed(SpareNotOpened())
            return
        self._close_spare()  # there is one that came too late for the session before
        self._spare = spare
        self._feed(SpareOpened())

    def _close_spare(self) -> None:
        if self._spare:
            self._spare.close()
            self._closing.append(self._spare)

    async def _open(self) -> ClientSocket:
        settings = self._settings
        identifier = safety_identifier(settings.signing_key, self._info.caller)
        return await open_session(settings.openai_base_url, settings.openai_api_key, self._agent.model, identifier)

    def _note(self, error: events.ErrorBody) -> None:
        _log.warning("model error", call_sid=self._info.call_sid, code=error.code or error.type, param=error.param)
        metric("worker", "ModelErrors")

    def append(self, payload: msgspec.Raw) -> None:
        """Sends the caller's audio."""
        self.send(b'{"type":"input_audio_buffer.append","audio":%b}' % payload)

    def send(self, event: bytes) -> None:
        """Sends one event; into a lost line it is lost, of which the call learns by `ModelLost`."""
        if self._socket:
            self._socket.send(event)

    async def close(self) -> None:
        """Closes every socket there is, and returns when they are gone."""
        self.disconnect()
        self._close_spare()
        await asyncio.gather(*(socket.wait_closed() for socket in self._closing))
