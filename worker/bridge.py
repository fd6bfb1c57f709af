"""Runs one call on its two sockets: feeds it what arrives, carries out what it decides, and sees it to its end.

The call's decisions are taken and carried out under one lock, in the order in which events arrived; on sockets that
are not congested none of it yields, so a barge-in reaches Twilio in the same turn of the event loop.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from websockets.exceptions import ConnectionClosed

from shared.call_store import CallEnd, ResumedMeanwhile, StoreUnavailable
from shared.escalation import Escalation
from shared.escalation_queue import EscalationNotSent as QueueError
from shared.logs import logger, metric
from worker import media_stream
from worker.call import Call
from worker.closing import close_unread
from worker.effects import (
    AppendAudio,
    CancelTimer,
    ClearPlayback,
    Connect,
    Effect,
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSent,
    HangUp,
    KeepTurns,
    LookAtEscalation,
    OpenSpare,
    Outcome,
    PlayAudio,
    RunTool,
    SendEscalation,
    SendMark,
    SendToModel,
    SetTimer,
    StreamLost,
    Timer,
    TimerFired,
    ToolFinished,
)
from worker.escalation_watch import seen
from worker.gate import Admitted
from worker.media_stream import MalformedMessage, StreamEncoder, StreamMessage
from worker.model_line import ModelLine
from worker.profiles import Profile
from worker.realtime.events import ModelEvent
from worker.report import report
from worker.settings import WorkerSettings
from worker.storage import Storage
from worker.stream_watch import LOOK_EVERY_S, StreamWatch
from worker.tools import CallInfo
from worker.turn_keeper import TurnKeeper

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

# An escalation on its way when the caller hangs up is still sent; SQS's own limits end it before this.
_LAST_ESCALATIONS_S: Final = 10
# The caller hears nothing while the end is written down.
_RECORD_S: Final = 3

_log = logger("worker")


class Bridge:
    """One call from the start of its stream to the last thing written about it."""

    def __init__(
        self,
        stream: "ServerConnection",
        admitted: Admitted,
        info: CallInfo,
        profile: Profile,
        settings: WorkerSettings,
        storage: Storage,
    ) -> None:
        self._stream = stream
        self._encoder = StreamEncoder(admitted.stream_sid)
        self._info = info
        self._resumptions = admitted.resumptions
        self._profile = profile
        self._storage = storage
        self._call = Call(profile, info, datetime.now(UTC), admitted.past)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._model = ModelLine(settings, profile, info, self._feed)
        self._deciding = asyncio.Lock()
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._escalations: set[asyncio.Task[None]] = set()
        self._keeper = TurnKeeper(storage, info.call_sid)
        self._watch = StreamWatch(self._began)
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Holds the conversation until it ends, whatever ends it; raises only `CancelledError`."""
        _log.info("call started", call_sid=self._info.call_sid, profile=self._profile.name)
        metric("worker", "CallsStarted")
        try:
            await self._converse()
        except Exception:  # noqa: BLE001 - a fault of ours ends this call and no other; the caller hears an apology
            _log.exception("call failed", call_sid=self._info.call_sid)
        finally:
            await self._finish()

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks just now, and nothing is under way."""
        return self._call.quiet

    async def leave(self, reason: str) -> None:
        """Gives the call up because this worker must stop."""
        await self._feed(StreamLost(reason))

    async def _converse(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._start = tasks.create_task
                self._spawn(self._hear_stream())
                self._spawn(self._watch_stream())
                await self._carry_out(self._call.begin())
                await self._over.wait()
                for task in self._work:
                    task.cancel()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    # What arrives

    async def _hear_stream(self) -> None:
        try:
            while True:
                message = media_stream.decode(await self._stream.recv(decode=False))
                if not self._watch.message():
                    await self._feed(StreamLost("stream_flood", foreign=True))
                    return
                if message is not None:
                    await self._feed(message)
        except MalformedMessage as malformed:
            await self._feed(StreamLost(f"stream_malformed: {malformed}", foreign=True))
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            await self._feed(StreamLost(f"stream_closed: {code}"))

    async def _watch_stream(self) -> None:
        while self._watch.look(self._loop.time()):  # noqa: ASYNC110 - it is silence that is looked for
            await asyncio.sleep(LOOK_EVERY_S)
        await self._feed(StreamLost("stream_quiet"))

    async def _feed(self, event: StreamMessage | ModelEvent | Outcome) -> None:
        async with self._deciding:
            now = (self._loop.time() - self._began) * 1000
            await self._carry_out(self._call.handle(event, now))

    # What is decided

    async def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case AppendAudio():
                    await self._model.send(b'{"type":"input_audio_buffer.append","audio":%b}' % effect.payload)
                case PlayAudio():
                    await self._to_stream(self._encoder.media(effect.payload))
                case SendMark():
                    await self._to_stream(self._encoder.mark(effect.name))
                case ClearPlayback():
                    await self._to_stream(self._encoder.clear())
                case SendToModel():
                    await self._model.send(msgspec.json.encode(effect.event))
                case _:
                    self._arrange(effect)

    def _arrange(self, effect: Effect) -> None:
        """Effects that do not write to a socket: they only start something, or end it."""
        match effect:
            case Connect():
                self._model.let_go()
                self._spawn(self._model.hold())
            case OpenSpare():
                self._spawn(self._model.open_spare())
            case SetTimer():
                self._cancel_timer(effect.timer)
                self._timers[effect.timer] = self._loop.call_later(effect.after_ms / 1000, self._fire, effect.timer)
            case CancelTimer():
                self._cancel_timer(effect.timer)
            case RunTool():
                self._spawn(self._run_tool(effect))
            case SendEscalation():
                # Not a part of the conversation's task group: it is sent even if the caller hangs up meanwhile.
                self._escalations.add(asyncio.create_task(self._send(effect.call_id, effect.escalation)))
            case LookAtEscalation():
                self._spawn(self._look(effect.escalation_id))
            case KeepTurns():
                self._keeper.keep(effect.turns)
            case HangUp():
                self._over.set()

    async def _to_stream(self, message: bytes) -> None:
        with suppress(ConnectionClosed):  # the reader of this socket learns of it as well, and ends the call
            await self._stream.send(message, text=True)

    # Timers and work

    def _cancel_timer(self, timer: Timer) -> None:
        if handle := self._timers.pop(timer, None):
            handle.cancel()

    def _fire(self, timer: Timer) -> None:
        self._spawn(self._feed(TimerFired(timer)))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._start(coroutine)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _run_tool(self, effect: RunTool) -> None:
        output = await self._profile.toolbox.run(effect.name, effect.arguments, self._info)
        await self._feed(ToolFinished(effect.call_id, output))

    async def _send(self, call_id: str, escalation: Escalation) -> None:
        try:
            await self._storage.send(escalation)
        except QueueError as failure:
            _log.error("escalation not sent", call_sid=self._info.call_sid, error=str(failure))
            metric("worker", "EscalationsNotSent")
            await self._feed(EscalationNotSent(call_id))
        else:
            _log.info("escalation sent", call_sid=self._info.call_sid, revision=escalation.revision)
            metric("worker", "EscalationsSent")
            await self._feed(EscalationSent(call_id))

    async def _look(self, escalation_id: str) -> None:
        try:
            life = await self._storage.life(escalation_id)
        except StoreUnavailable as failure:
            _log.warning("escalation not seen", call_sid=self._info.call_sid, error=str(failure))
            await self._feed(EscalationNotSeen(escalation_id))
        else:
            await self._feed(seen(escalation_id, life))

    # The end

    async def _finish(self) -> None:
        ended = self._call.ended or HangUp(CallEnd.FAILED, "worker_fault")
        try:
            # Before the stream closes: Twilio asks `/stream-ended` at once, and that looks the record up.
            await self._record(ended)
        finally:
            await close_unread(self._stream)
            await self._model.close()
            if unsent := self._call.escalating.unsent:
                self._escalations.add(asyncio.create_task(self._send("", unsent)))
            if self._escalations:
                await asyncio.wait(self._escalations, timeout=_LAST_ESCALATIONS_S)
            report(self._call, self._info, self._profile, ended, self._loop.time() - self._began)

    async def _record(self, ended: HangUp) -> None:
        try:
            async with asyncio.timeout(_RECORD_S):
                await self._keeper.finish()
                await self._storage.record_end(
                    self._info.call_sid, ended.ended, ended.details, resumptions=self._resumptions
                )
        except ResumedMeanwhile:
            _log.warning("another worker has the call by now", call_sid=self._info.call_sid)
        except (StoreUnavailable, TimeoutError) as failure:
            _log.error("end not recorded", call_sid=self._info.call_sid, error=str(failure) or "no answer in time")
