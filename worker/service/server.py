"""The worker's one port: media streams, and `/health` for the load balancer."""

import asyncio
import functools
import http
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.http11 import Request

from shared.agents import Agents
from shared.escalations.callback_numbers import CallbackRules
from shared.logs import logger, metric
from shared.numbers.phone_numbers import mask
from shared.twilio.signature import handshake_is_signed
from worker.agents import Agent
from worker.call.bridge import AdmittedStream, Bridge
from worker.engines.realtime.session_pool import Reservation, SessionPool
from worker.faults import supervised
from worker.service.admission import StreamRefused, admit, verified_start
from worker.service.drain import move_calls
from worker.service.load import CallsWatch, Load, Place, Standing
from worker.settings import WorkerSettings
from worker.storage import Storage
from worker.tools import CallContext
from worker.websocket.connection import Allowance, Limits
from worker.websocket.server import Answer, Server, ServerSocket

_LIMITS: Final = Limits(
    message_bytes=64 * 1024,  # Twilio's are under 1 KiB, somewhat more with long custom parameters
    unsent_bytes=4 * 2**20,  # more than the longest response, which may be minutes of audio
    open_s=10,
    # `connected` and `start` are two frames of less than 3 KiB together.
    untrusted=Allowance(frames=32, bytes=16 * 1024),
)
_SIGNATURE: Final = "X-Twilio-Signature"
_POLICY_VIOLATION: Final = 1008
# The last part of the drain, in which calls are moved: nearly every conversation has a pause within it.
_MOVE_WITHIN_S: Final = 20

_log = logger("worker")


class Service:
    """Takes streams until it drains, and tracks the running calls. `watches` act on their number."""

    def __init__(
        self,
        settings: WorkerSettings,
        agents: Agents[Agent],
        storage: Storage,
        watches: Sequence[CallsWatch] = (),
    ) -> None:
        self._settings = settings
        self._agents = agents
        self._storage = storage
        self._watches = watches
        self._bridges: set[Bridge] = set()
        self._draining = False
        self._load = Load(settings.max_calls, settings.max_lag_ms / 1000)
        # The functions check again before they dial: only they know the alerts' own number and who is on call.
        self._callbacks = CallbackRules(settings.callback_countries).and_ours(*agents.numbers)
        self._session_pool = SessionPool(settings, agents.default)

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set, then refuses new streams, lets running calls end, and returns."""
        server = await Server(self._check, self._take, _LIMITS).listen(self._settings.port)
        async with server, asyncio.TaskGroup() as tasks:
            watch_runs = [functools.partial(watch, lambda: self._load.calls) for watch in self._watches]
            watching = [tasks.create_task(supervised("calls watch", run)) for run in watch_runs]
            watching.append(tasks.create_task(supervised("load watch", self._load.watch)))
            pooling = tasks.create_task(supervised("session pool", self._session_pool.keep))
            _log.info("worker ready", port=self._settings.port)
            await stop.wait()
            pooling.cancel()
            await self._drain(server)
            for watch in watching:
                watch.cancel()

    def _check(self, request: Request) -> Answer | None:
        """Answers other requests than media streams, and refuses streams that are not Twilio's, before the upgrade."""
        path = _path(request)
        status = http.HTTPStatus.SERVICE_UNAVAILABLE if self._draining else http.HTTPStatus.OK
        if path == "/health":
            return Answer(status, "draining\n" if self._draining else "ok\n")
        if path is None:
            return _unreadable("path")
        if path != "/media-stream":
            return Answer(http.HTTPStatus.NOT_FOUND, "Only /media-stream and /health are here.\n")
        if self._draining:
            return Answer(status, "This worker takes no more calls.\n")
        if self._load.full:
            # Twilio then requests `/stream-ended`, which sends the call to another worker.
            _log.warning("stream refused: worker is full", calls=self._load.calls, lag_s=round(self._load.lag_s, 3))
            metric("worker", "StreamsRefused")
            return Answer(http.HTTPStatus.SERVICE_UNAVAILABLE, "This worker is full.\n")
        return self._check_signature(request.headers.get_all(_SIGNATURE))

    def _check_signature(self, signatures: Sequence[str]) -> Answer | None:
        if len(signatures) > 1:
            return _unreadable("signature")
        if not signatures:
            if self._load.admits_unsigned():
                return None
            return Answer(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too many unsigned streams are waiting.\n")
        settings = self._settings
        if handshake_is_signed(settings.twilio_auth_token, signatures[0], settings.stream_url):
            return None
        _log.warning("handshake refused: wrong signature")
        return Answer(http.HTTPStatus.FORBIDDEN, "The signature is not Twilio's.\n")

    def _take(self, stream: ServerSocket) -> Coroutine[Any, Any, None]:
        # Counted at once: the next handshake may be checked in the same turn of the event loop.
        return self._serve(stream, self._load.place(signed=_SIGNATURE in stream.request.headers))

    async def _serve(self, stream: ServerSocket, place: Place) -> None:
        signed = place.standing is Standing.ARRIVING
        reserved = None
        try:
            # `_check` has refused wrong signatures. Without a signature no session is opened before the token is valid.
            reserved = self._session_pool.reserve() if signed else None
            start = await verified_start(stream, self._settings.signing_key, signed=signed)
            self._make_room(place)
            admitted = await admit(start, self._storage)
            place.move(Standing.ADMITTED)
            reserved = reserved or self._session_pool.reserve_open()
            await self._converse(stream, admitted, reserved)
        except StreamRefused as refused:
            _log.warning("stream refused", reason=str(refused))
            metric("worker", "StreamsRefused")
            stream.close(_POLICY_VIOLATION, "stream refused")
        finally:
            place.move(None)
            if reserved:
                reserved.release()

    def _make_room(self, place: Place) -> None:
        """Counts an unsigned stream as arriving, now that its token is valid; raises `StreamRefused` if full."""
        if place.standing is Standing.UNSIGNED:
            if self._load.full:
                raise StreamRefused("worker is full")
            place.move(Standing.ARRIVING)

    async def _converse(self, stream: ServerSocket, admitted: AdmittedStream, reserved: Reservation | None) -> None:
        agent = self._agents.for_number(admitted.called)
        context = CallContext(admitted.call_sid, admitted.caller, admitted.called, agent.language)
        _log.info(
            "stream admitted", call_sid=context.call_sid, caller=mask(context.caller), called=mask(context.called)
        )
        bridge = Bridge(stream, admitted, context, agent, self._settings, self._storage, self._callbacks, reserved)
        self._bridges.add(bridge)
        try:
            await bridge.run()
        finally:
            self._bridges.discard(bridge)

    async def _drain(self, server: Server) -> None:
        """Waits up to `drain_s` for running calls to end; moves the others to another worker in its last 20 s.

        Streams that are still being admitted become calls with the same time limit.
        """
        self._draining = True
        drain_s = self._settings.drain_s
        _log.info("draining", calls=self._load.calls, seconds=drain_s)
        drained_by = asyncio.get_running_loop().time() + drain_s
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, drain_s - _MOVE_WITHIN_S)):
                await server.wait_idle()
        async with asyncio.TaskGroup() as tasks:
            moving = tasks.create_task(supervised("moving calls", lambda: move_calls(self._bridges, by=drained_by)))
            await server.wait_idle()
            moving.cancel()


def _path(request: Request) -> str | None:
    """The request's path without a trailing slash; None if it cannot be parsed."""
    try:
        return urlsplit(request.path).path.rstrip("/")
    except ValueError:  # `//[`, for example
        return None


def _unreadable(part: str) -> Answer:
    _log.warning("handshake refused: unreadable", part=part)
    return Answer(http.HTTPStatus.BAD_REQUEST, f"The request's {part} cannot be read.\n")
