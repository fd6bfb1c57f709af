"""Runs one call on its two sockets: feeds it what arrives, carries out what it decides, and sees it to its end.

What arrives on a socket is decided and carried out before the event loop goes on, without a task and without waiting.
Nothing that is carried out can feed the call in its turn, so events are taken one after the other, as they came, and a
barge-in is written to Twilio's socket before the model's event has been left.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from shared.calls.ending import CallEnd
from shared.calls.store import ResumedMeanwhile, StoreUnavailable
from shared.escalations.callback_numbers import CallbackRules
from shared.escalations.queue import EscalationNotSent as QueueError
from shared.escalations.request import Escalation
from shared.logs import logger, metric
from worker.agents import Agent
from worker.call.summary import report
from worker.call.transcript_writer import TranscriptWriter
from worker.conversation.call import Call
from worker.conversation.effects import (
    AppendAudio,
    CancelTimer,
    ClearPlayback,
    Connect,
    Effect,
    EffectResult,
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSent,
    HangUp,
    LookAtEscalation,
    OpenSpare,
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
    WriteTranscript,
)
from worker.conversation.escalation_progress import seen
from worker.conversation.resumption import ResumedCall
from worker.engines.realtime.events import ModelEvent
from worker.engines.realtime.session_pool import Reservation
from worker.engines.realtime.socket import ModelSocket
from worker.faults import report_fault
from worker.settings import WorkerSettings
from worker.storage import Storage
from worker.tools import CallContext
from worker.tools.output import error_output
from worker.twilio import media_stream
from worker.twilio.media_stream import MalformedMessage, Media, StreamEncoder, StreamMessage
from worker.twilio.watchdog import POLL_INTERVAL_S, StreamWatchdog
from worker.websocket.connection import WebSocket

# An escalation on its way when the caller hangs up is still sent; SQS's own limits end it before this.
_LAST_ESCALATIONS_S: Final = 10
# The caller hears nothing while the end is written down.
_RECORD_S: Final = 3

_log = logger("worker")


@dataclass(frozen=True, slots=True)
class AdmittedStream:
    """A stream that belongs to a call, with its past if another worker had that call before.

    `resumptions` is how often the call had been resumed when Twilio was told to open the stream.
    """

    stream_sid: str
    call_sid: str
    caller: str
    called: str
    past: ResumedCall | None = None
    resumptions: int = 0


class Bridge:
    """One call from the start of its stream to the last thing written about it. It is the stream's receiver."""

    def __init__(
        self,
        stream: WebSocket,
        admitted: AdmittedStream,
        info: CallContext,
        agent: Agent,
        settings: WorkerSettings,
        storage: Storage,
        callbacks: CallbackRules,
        reserved: Reservation | None = None,
    ) -> None:
        self._stream = stream
        self._encoder = StreamEncoder(admitted.stream_sid)
        self._info = info
        self._resumptions = admitted.resumptions
        self._agent = agent
        self._storage = storage
        self._call = Call(agent, info, datetime.now(UTC), admitted.past, callbacks)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._model = ModelSocket(settings, agent, info, self._feed, reserved)
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._escalations: set[asyncio.Task[None]] = set()
        self._transcript_writer = TranscriptWriter(storage, info.call_sid, admitted.resumptions)
        self._watch = StreamWatchdog(self._began)
        self._over: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """Holds the conversation until it ends, whatever ends it; raises only `CancelledError`."""
        _log.info("call started", call_sid=self._info.call_sid, agent=self._agent.name)
        metric("worker", "CallsStarted")
        try:
            await self._converse()
        except (Exception, BaseExceptionGroup) as fault:  # noqa: BLE001 - it ends this call; the caller hears an apology
            self._report_fault("call failed", fault)
        finally:
            await self._finish()

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks just now, and nothing is under way."""
        return self._call.quiet

    def leave(self, reason: str) -> None:
        """Gives the call up because this worker must stop."""
        self._feed(StreamLost(reason))

    async def _converse(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._start = tasks.create_task
                self._spawn(self._watch_stream())
                self._carry_out(self._call.begin())
                self._stream.listen(self)
                await self._over
                for task in self._work:
                    task.cancel()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    # What arrives

    def received(self, message: bytes) -> None:
        """The stream has brought a message."""
        try:
            self._receive(message)
        except Exception as fault:  # noqa: BLE001 - for `run`, as in `_feed`
            self._fail(fault)

    def _receive(self, message: bytes) -> None:
        try:
            event = media_stream.decode(message)
        except MalformedMessage as malformed:
            self._turn_away(f"stream_malformed: {malformed}")
            return
        if not self._watch.message():
            self._turn_away("stream_flood")
        elif type(event) is Media:
            if self._call.hear(event.media.payload):
                self._model.append(event.media.payload)
        elif event is not None:
            self._feed(event)

    def other_frames(self, count: int) -> None:
        """The stream has brought pings, pongs or parts of a message."""
        if not self._watch.other_frames(count):
            self._turn_away("stream_flood")

    def _turn_away(self, reason: str) -> None:
        """Twilio would not send this. Nothing more is read, but the end is written down before the stream closes."""
        self._stream.pause_reading()
        self._feed(StreamLost(reason, foreign=True))

    def lost(self, code: int | None) -> None:
        """The stream is gone."""
        self._feed(StreamLost(f"stream_closed: {code}"))

    async def _watch_stream(self) -> None:
        while self._watch.check(self._loop.time()):  # noqa: ASYNC110 - it is silence that is looked for
            await asyncio.sleep(POLL_INTERVAL_S)
        self._feed(StreamLost("stream_quiet"))

    def _feed(self, event: StreamMessage | ModelEvent | EffectResult) -> None:
        if self._over.done():
            return
        try:
            self._carry_out(self._call.handle(event, (self._loop.time() - self._began) * 1000))
        except Exception as fault:  # noqa: BLE001 - for `run`; whoever fed this event knows nothing of calls
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        if self._over.done():
            self._report_fault("call failed after its end", fault)
        else:
            self._over.set_exception(fault)

    def _report_fault(self, message: str, fault: BaseException) -> None:
        report_fault(message, fault, call_sid=self._info.call_sid)

    # What is decided

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case PlayAudio():
                    self._stream.send(self._encoder.media(effect.payload))
                case SendMark():
                    self._stream.send(self._encoder.mark(effect.name))
                case ClearPlayback():
                    self._stream.send(self._encoder.clear())
                case AppendAudio():
                    self._model.append(effect.payload)
                case SendToModel():
                    self._model.send(msgspec.json.encode(effect.event))
                case _:
                    self._arrange(effect)

    def _arrange(self, effect: Effect) -> None:
        """Effects that do not write to a socket: they only start something, or end it."""
        match effect:
            case Connect():
                self._model.disconnect()
                self._spawn(self._model.connect())
            case OpenSpare():
                self._spawn(self._model.open_spare())
            case SetTimer():
                self._cancel_timer(effect.timer)
                self._timers[effect.timer] = self._loop.call_later(
                    effect.after_ms / 1000, self._feed, TimerFired(effect.timer)
                )
            case CancelTimer():
                self._cancel_timer(effect.timer)
            case RunTool():
                self._spawn(self._run_tool(effect))
            case SendEscalation():
                # Not a part of the conversation's task group: it is sent even if the caller hangs up meanwhile.
                self._escalations.add(asyncio.create_task(self._send(effect.call_id, effect.escalation)))
            case LookAtEscalation():
                self._spawn(self._look(effect.escalation_id))
            case WriteTranscript():
                self._transcript_writer.keep(effect.turns)
            case HangUp():
                self._over.set_result(None)

    # Timers and work

    def _cancel_timer(self, timer: Timer) -> None:
        if handle := self._timers.pop(timer, None):
            handle.cancel()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._start(coroutine)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _run_tool(self, effect: RunTool) -> None:
        try:
            output = await self._agent.toolbox.run(effect.name, effect.arguments, self._info)
        except Exception as fault:  # noqa: BLE001 - it costs this tool's result; every function call is answered
            self._report_fault("tool failed", fault)
            output = error_output(f"{effect.name} failed and gave no result.")
        self._feed(ToolFinished(effect.call_id, output))

    async def _send(self, call_id: str, escalation: Escalation) -> None:
        try:
            await self._storage.send(escalation)
        except QueueError as failure:
            _log.error("escalation not sent", call_sid=self._info.call_sid, error=str(failure))
        except Exception as fault:  # noqa: BLE001 - the model must hear of it in any case, and it is tried again
            self._report_fault("escalation not sent", fault)
        else:
            _log.info("escalation sent", call_sid=self._info.call_sid, revision=escalation.revision)
            metric("worker", "EscalationsSent")
            self._feed(EscalationSent(call_id))
            return
        metric("worker", "EscalationsNotSent")
        self._feed(EscalationNotSent(call_id))

    async def _look(self, escalation_id: str) -> None:
        try:
            outcome: EffectResult = seen(escalation_id, await self._storage.escalation_record(escalation_id))
        except StoreUnavailable as failure:
            _log.warning("escalation not seen", call_sid=self._info.call_sid, error=str(failure))
            outcome = EscalationNotSeen(escalation_id)
        except Exception as fault:  # noqa: BLE001 - what cannot be read costs this look, and not the conversation
            self._report_fault("escalation not seen", fault)
            outcome = EscalationNotSeen(escalation_id)
        self._feed(outcome)

    # The end

    async def _finish(self) -> None:
        """Takes every step to the end, whatever becomes of the one before."""
        ended = self._call.ended or HangUp(CallEnd.FAILED, "worker_fault")
        # Recorded before the stream closes: Twilio asks `/stream-ended` at once, and that looks the record up.
        for step in (self._record, self._close, self._send_last, self._report):
            try:
                await step(ended)
            except Exception as fault:  # noqa: BLE001 - the steps after it are not to be left out
                self._report_fault("call not ended as it should be", fault)

    async def _close(self, _ended: HangUp) -> None:
        self._stream.close()
        await self._model.close()
        await self._stream.wait_closed()

    async def _send_last(self, _ended: HangUp) -> None:
        if unsent := self._call.escalation_requests.unsent:
            self._escalations.add(asyncio.create_task(self._send("", unsent)))
        if self._escalations:
            await asyncio.wait(self._escalations, timeout=_LAST_ESCALATIONS_S)

    async def _report(self, ended: HangUp) -> None:
        report(self._call, self._info, self._agent, ended, self._loop.time() - self._began)

    async def _record(self, ended: HangUp) -> None:
        try:
            async with asyncio.timeout(_RECORD_S):
                await self._transcript_writer.finish()
                await self._storage.record_end(
                    self._info.call_sid, ended.ended, ended.details, resumptions=self._resumptions
                )
        except ResumedMeanwhile:
            _log.warning("another worker has the call by now", call_sid=self._info.call_sid)
        except (StoreUnavailable, TimeoutError) as failure:
            _log.error("end not recorded", call_sid=self._info.call_sid, error=str(failure) or "no answer in time")
