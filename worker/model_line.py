"""A call's socket to the model, and the spare one that will take its place."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from websockets.exceptions import ConnectionClosed

from shared.logs import logger, metric
from worker.effects import ModelLost, Outcome, SpareNotOpened, SpareOpened
from worker.profiles import Profile
from worker.realtime import events
from worker.realtime.connection import ModelUnreachable, open_session, safety_identifier
from worker.realtime.events import MalformedEvent, ModelEvent
from worker.settings import WorkerSettings
from worker.tools import CallInfo

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

# How the API closes the socket of a client that speaks another version of it.
_NEVER_AGAIN: Final = 4000

_log = logger("worker")


class ModelLine:
    """Opens sockets, feeds what the model says to the call, and tells it when the line is lost."""

    def __init__(
        self,
        settings: WorkerSettings,
        profile: Profile,
        info: CallInfo,
        feed: Callable[[ModelEvent | Outcome], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._profile = profile
        self._info = info
        self._feed = feed
        self._socket: ClientConnection | None = None
        self._spare: ClientConnection | None = None
        self._closing: list[asyncio.Task[None]] = []

    def let_go(self) -> None:
        """Nothing more of the present socket counts; it is closed by and by."""
        if self._socket:
            self._closing.append(asyncio.create_task(self._socket.close()))
            self._socket = None

    async def hold(self) -> None:
        """Takes the spare socket, or opens one, and listens until it is lost or let go."""
        try:
            self._socket, self._spare = self._spare or await self._open(), None
        except ModelUnreachable as unreachable:
            await self._feed(ModelLost(str(unreachable), unreachable.final))
            return
        socket = self._socket
        lost = await self._listen(socket)
        if socket is self._socket:
            await self._feed(lost)

    async def _listen(self, socket: "ClientConnection") -> ModelLost:
        try:
            while True:
                event = events.decode(await socket.recv(decode=False))
                if event is not None and socket is self._socket:
                    self._note(event)
                    await self._feed(event)
        except MalformedEvent as malformed:
            return ModelLost(f"model_malformed: {malformed}")
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            return ModelLost(f"model_closed: {code}", final=code == _NEVER_AGAIN)

    async def open_spare(self) -> None:
        """Opens the socket that will be taken next."""
        try:
            self._spare = await self._open()
        except ModelUnreachable as unreachable:
            _log.warning("no spare session", call_sid=self._info.call_sid, error=str(unreachable))
            await self._feed(SpareNotOpened())
        else:
            await self._feed(SpareOpened())

    async def _open(self) -> "ClientConnection":
        settings = self._settings
        identifier = safety_identifier(settings.signing_key, self._info.caller)
        return await open_session(settings.openai_base_url, settings.openai_api_key, self._profile.model, identifier)

    def _note(self, event: ModelEvent) -> None:
        if isinstance(event, events.Error):
            error = event.error
            _log.warning("model error", call_sid=self._info.call_sid, code=error.code or error.type, param=error.param)
            metric("worker", "ModelErrors")

    async def send(self, event: bytes) -> None:
        """Sends one event as a text frame; into a lost line it is lost, of which the call learns by `ModelLost`."""
        if self._socket:
            with suppress(ConnectionClosed):
                await self._socket.send(event, text=True)

    async def close(self) -> None:
        """Closes every socket there is."""
        self.let_go()
        if self._spare:
            await self._spare.close()
        await asyncio.gather(*self._closing)
