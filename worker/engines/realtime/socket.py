"""A call's socket to the model, and the spare socket that replaces it later."""

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

# The API's close code for a client of another API version; a retry cannot help.
_WRONG_VERSION: Final = 4000

_log = logger("worker")


class ModelSocket:
    """Opens sockets, feeds the model's events to the call, and reports when the socket is lost.

    It is the receiver of its present socket.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        agent: Agent,
        context: CallContext,
        feed: Callable[[ModelEvent | EffectResult], None],
        reserved: Reservation | None = None,
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._context = context
        self._feed = feed
        self._reserved = reserved
        self._socket: ClientSocket | None = None
        self._spare: ClientSocket | None = None
        self._closing: list[ClientSocket] = []

    def disconnect(self) -> None:
        """Stops using the present socket and starts to close it."""
        if self._socket:
            self._socket.close()
            self._closing.append(self._socket)
            self._socket = None

    async def connect(self) -> None:
        """Uses the reserved session, the spare socket or a new one, and starts to receive from it."""
        try:
            if await self._take_reserved():
                return
            # Taken before the await: during it, another spare may be opened.
            spare, self._spare = self._spare, None
            self._socket = spare or await self._open()
        except ModelUnreachable as unreachable:
            self._feed(ModelLost(str(unreachable), unreachable.final))
        except Exception as fault:  # noqa: BLE001 - only this try fails; the call retries
            report_fault("connecting to the model failed", fault, call_sid=self._context.call_sid)
            self._lose("worker_fault")
        else:
            self._socket.listen(self)

    async def _take_reserved(self) -> bool:
        """Does not wait if the reserved session is open."""
        reserved, self._reserved = self._reserved, None
        pooled = await reserved.take(self._agent, self._context.call_sid) if reserved else None
        if pooled is None:
            return False
        self._socket = pooled.socket
        self._socket.listen(self)
        self._feed(SessionReady(pooled.session, pooled.update))
        return True

    def received(self, message: bytes) -> None:
        """Handles a message of the model."""
        try:
            self._receive(message)
        except MalformedEvent as malformed:
            _log.warning("model event malformed", call_sid=self._context.call_sid, error=str(malformed))
            metric("worker", "ModelMalformed")
            self._lose(f"model_malformed: {malformed}")
        except Exception as fault:  # noqa: BLE001 - only this session is lost; the call opens another
            report_fault("handling a model event failed", fault, call_sid=self._context.call_sid)
            self._lose("worker_fault")

    def _receive(self, message: bytes) -> None:
        event = events.decode(message)
        if event is None:
            return
        if type(event) is events.Error:
            self._report(event.error)
        self._feed(event)

    def other_frames(self, count: int) -> None:
        """Ignores pings and pongs; the socket answers them itself."""

    def lost(self, code: int | None) -> None:
        """Reports that the model has closed the socket, or that it broke."""
        self._lose(f"model_closed: {code}", final=code == _WRONG_VERSION)

    def _lose(self, reason: str, *, final: bool = False) -> None:
        try:
            self.disconnect()
        finally:
            self._feed(ModelLost(reason, final))

    async def open_spare(self) -> None:
        """Opens the spare socket, which the next `connect` uses."""
        try:
            spare = await self._open()
        except ModelUnreachable as unreachable:
            _log.warning("spare socket not opened", call_sid=self._context.call_sid, error=str(unreachable))
            self._feed(SpareNotOpened())
            return
        except Exception as fault:  # noqa: BLE001 - only this try fails; the call retries
            report_fault("spare socket not opened", fault, call_sid=self._context.call_sid)
            self._feed(SpareNotOpened())
            return
        self._close_spare()  # an earlier spare that opened too late to be used
        self._spare = spare
        self._feed(SpareOpened())

    def _close_spare(self) -> None:
        if self._spare:
            self._spare.close()
            self._closing.append(self._spare)

    async def _open(self) -> ClientSocket:
        settings = self._settings
        identifier = safety_identifier(settings.signing_key, self._context.caller)
        return await open_session(settings.openai_base_url, settings.openai_api_key, self._agent.model, identifier)

    def _report(self, error: events.ErrorBody) -> None:
        _log.warning("model error", call_sid=self._context.call_sid, code=error.code or error.type, param=error.param)
        metric("worker", "ModelErrors")

    def append(self, payload: msgspec.Raw) -> None:
        """Sends the caller's audio."""
        self.send(b'{"type":"input_audio_buffer.append","audio":%b}' % payload)

    def send(self, event: bytes) -> None:
        """Sends one event. Without a socket it is dropped; the call is told of that by `ModelLost`."""
        if self._socket:
            self._socket.send(event)

    async def close(self) -> None:
        """Closes all sockets and waits until they are closed."""
        self.disconnect()
        self._close_spare()
        await asyncio.gather(*(socket.wait_closed() for socket in self._closing))
