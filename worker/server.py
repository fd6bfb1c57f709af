"""The worker's one port: media streams, and `/health` for the load balancer."""

import asyncio
import http
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from websockets.http11 import Request

from shared.logs import logger, metric
from shared.phone_numbers import mask
from shared.signature import handshake_is_signed
from worker.active_calls import CallsWatch
from worker.bridge import Bridge
from worker.gate import StreamRefused, admit
from worker.leaving import move
from worker.load import Load
from worker.processes.from_front import FromFront
from worker.profiles import Profiles
from worker.ready_sessions import ReadySessions, Reserved
from worker.settings import WorkerSettings
from worker.sockets.server import Answer, Server, ServerSocket
from worker.sockets.web_socket import Limits
from worker.storage import Storage
from worker.tools import CallInfo

_LIMITS: Final = Limits(
    message_bytes=64 * 1024,  # Twilio's are under 1 KiB; ten times a long custom parameter is generous
    unsent_bytes=4 * 2**20,  # more than a model says at once, which may be minutes
    open_s=10,
)
_SIGNATURE: Final = "X-Twilio-Signature"
_POLICY_VIOLATION: Final = 1008
# Of the time for draining, its end: long enough for a pause in nearly every conversation.
_MOVE_WITHIN_S: Final = 20

_log = logger("worker")


class Worker:
    """Takes streams until it drains, and knows the calls that are running.

    From its port, or from `front` if it is one process of several. `watches` go by the number of its calls.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        profiles: Profiles,
        storage: Storage,
        watches: Sequence[CallsWatch] = (),
        front: FromFront | None = None,
    ) -> None:
        self._settings = settings
        self._profiles = profiles
        self._storage = storage
        self._watches = watches
        self._front = front
        self._bridges: set[Bridge] = set()
        self._draining = False
        self._load = Load(settings.max_calls, settings.max_lag_ms / 1000)
        self._ready = ReadySessions(settings, profiles.default)

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set, then refuses new streams, lets running calls end, and returns."""
        server = Server(self._check, self._take, _LIMITS)
        if not self._front:
            await server.listen(self._settings.port)
        async with server, asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(watch(lambda: self._load.calls)) for watch in self._watches]
            watching.append(tasks.create_task(self._load.watch()))
            if self._front:
                leading = self._front.lead_to(server, lambda: self._load.calls, lambda: self._takes_calls, stop)
                watching.append(tasks.create_task(leading))
            readying = tasks.create_task(self._ready.keep())
            _log.info("worker ready", port=self._settings.port)
            await stop.wait()
            readying.cancel()
            await self._drain(server)
            for watch in watching:
                watch.cancel()

    @property
    def _takes_calls(self) -> bool:
        return not (self._draining or self._load.full)

    def _check(self, request: Request) -> Answer | None:
        """Answers what is no media stream, and refuses streams that are not Twilio's, before the upgrade."""
        path = urlsplit(request.path).path.rstrip("/")
        taking = http.HTTPStatus.SERVICE_UNAVAILABLE if self._draining else http.HTTPStatus.OK
        if path == "/health":
            return Answer(taking, "draining\n" if self._draining else "ok\n")
        if path != "/media-stream":
            return Answer(http.HTTPStatus.NOT_FOUND, "Only /media-stream and /health are here.\n")
        if self._draining:
            return Answer(taking, "This worker takes no more calls.\n")
        if self._load.full:
            # Twilio then asks `/stream-ended`, which tries another worker.
            _log.warning(
                "stream refused: this worker is full", calls=self._load.calls, lag_s=round(self._load.lag_s, 3)
            )
            metric("worker", "StreamsRefused")
            return Answer(http.HTTPStatus.SERVICE_UNAVAILABLE, "This worker has all the calls it can hold.\n")
        signature = request.headers.get(_SIGNATURE)
        settings = self._settings
        if signature is not None and not handshake_is_signed(
            settings.twilio_auth_token, signature, settings.stream_url
        ):
            _log.warning("handshake refused: wrong signature")
            return Answer(http.HTTPStatus.FORBIDDEN, "The signature is not Twilio's.\n")
        return None

    async def _take(self, stream: ServerSocket) -> None:
        self._load.calls += 1
        # A wrong signature was refused before the upgrade. Without one nothing is opened before the token is verified.
        reserved = self._ready.reserve() if _SIGNATURE in stream.request.headers else None
        try:
            await self._serve(stream, reserved)
        finally:
            self._load.calls -= 1
            if reserved:
                reserved.release()

    async def _serve(self, stream: ServerSocket, reserved: Reserved | None) -> None:
        try:
            admitted = await admit(stream, self._settings.signing_key, self._storage)
        except StreamRefused as refused:
            _log.warning("stream refused", reason=str(refused))
            metric("worker", "StreamsRefused")
            stream.close(_POLICY_VIOLATION, "stream refused")
            return
        profile = self._profiles.for_number(admitted.called)
        info = CallInfo(admitted.call_sid, admitted.caller, admitted.called, profile.language)
        _log.info("stream admitted", call_sid=info.call_sid, caller=mask(info.caller), called=mask(info.called))
        reserved = reserved or self._ready.reserve_standing()
        bridge = Bridge(stream, admitted, info, profile, self._settings, self._storage, reserved)
        self._bridges.add(bridge)
        try:
            await bridge.run()
        finally:
            self._bridges.discard(bridge)

    async def _drain(self, server: Server) -> None:
        """Running calls get their time; those that are left then are handed to what `/stream-ended` answers.

        Streams that are still being let in are waited for: they become calls, which have the same time.
        """
        self._draining = True
        drain_s = self._settings.drain_s
        _log.info("draining", calls=self._load.calls, seconds=drain_s)
        over_at = asyncio.get_running_loop().time() + drain_s
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, drain_s - _MOVE_WITHIN_S)):
                await server.wait_idle()
        async with asyncio.TaskGroup() as tasks:
            moving = tasks.create_task(move(self._bridges, by=over_at))
            await server.wait_idle()
            moving.cancel()
