"""Runs one call on its two sockets: feeds events to the call, executes its effects, and finishes the call.

Each socket message is handled and its effects are executed at once, without a task and without waiting. Effects never
feed events back synchronously, so events are handled one by one in order of arrival. For example, the `clear` of a
barge-in is written to Twilio's socket before the handling of the model's event returns.
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
    CheckEscalation,
    ClearPlayback,
    Connect,
    Effect,
    EffectResult,
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSent,
    HangUp,
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

# Limit for sending escalations after the caller has hung up; the SQS client gives up earlier.
_LAST_ESCALATIONS_S: Final = 10
# The caller hears silence while the end is recorded.
_RECORD_S: Final = 3

_log = logger("worker")


@dataclass(frozen=True, slots=True)
class AdmittedStream:
    """A stream that belongs to a call; `past` is set if another worker had the call before.

    `resumptions` is how often the call had been resumed when the stream was requested from Twilio.
    """

    stream_sid: str
    call_sid: str
    caller: str
    called: str
    past: ResumedCall | None = None
    resumptions: int = 0


class Bridge:
    """One call from the start of its stream to its last log line. It is the stream's receiver."""

    def __init__(
        self,
        stream: WebSocket,
        admitted: AdmittedStream,
        context: CallContext,
        agent: Agent,
        settings: WorkerSettings,
        storage: Storage,
        callbacks: CallbackRules,
        reserved: Reservation | None = None,
    ) -> None:
        self._stream = stream
        self._encoder = StreamEncoder(admitted.stream_sid)
        self._context = context
        self._resumptions = admitted.resumptions
        self._agent = agent
        self._storage = storage
        self._call = Call(agent, context, datetime.now(UTC), admitted.past, callbacks)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._model = ModelSocket(settings, agent, context, self._feed, reserved)
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._escalations: set[asyncio.Task[None]] = set()
        self._transcript_writer = TranscriptWriter(storage, context.call_sid, admitted.resumptions)
        self._watch = StreamWatchdog(self._began)
        self._ended: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """Runs the call to its end and records it; raises only `CancelledError`."""
        _log.info("call started", call_sid=self._context.call_sid, agent=self._agent.name)
        metric("worker", "CallsStarted")
        try:
            await self._converse()
        except (Exception, BaseExceptionGroup) as fault:  # noqa: BLE001 - it ends this call; the caller hears an apology
            self._report_fault("call failed", fault)
        finally:
            await self._finish()

    @property
    def quiet(self) -> bool:
        """Whether nobody is speaking and no work is in progress."""
        return self._call.quiet

    def leave(self, reason: str) -> None:
        """Ends the call on this worker, so that another worker takes it; `reason` is for the record."""
        self._feed(StreamLost(reason))

    async def _converse(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._start = tasks.create_task
                self._spawn(self._watch_stream())
                self._execute(self._call.begin())
                self._stream.listen(self)
                await self._ended
                for task in self._work:
                    task.cancel()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    # Incoming events

    def received(self, message: bytes) -> None:
        """Handles a message of the stream."""
        try:
            self._receive(message)
        except Exception as fault:  # noqa: BLE001 - passed on to `run`, as in `_feed`
            self._fail(fault)

    def _receive(self, message: bytes) -> None:
        try:
            event = media_stream.decode(message)
        except MalformedMessage as malformed:
            self._reject_stream(f"stream_malformed: {malformed}")
            return
        if not self._watch.message():
            self._reject_stream("stream_flood")
        elif type(event) is Media:
            if self._call.hear(event.media.payload):
                self._model.append(event.media.payload)
        elif event is not None:
            self._feed(event)

    def other_frames(self, count: int) -> None:
        """Counts pings, pongs and fragments of the stream."""
        if not self._watch.other_frames(count):
            self._reject_stream("stream_flood")

    def _reject_stream(self, reason: str) -> None:
        """Ends a call whose stream sends what Twilio would not. Stops reading; records the end before it closes."""
        self._stream.pause_reading()
        self._feed(StreamLost(reason, foreign=True))

    def lost(self, code: int | None) -> None:
        """Handles the loss of the stream."""
        self._feed(StreamLost(f"stream_closed: {code}"))

    async def _watch_stream(self) -> None:
        while self._watch.check(self._loop.time()):  # noqa: ASYNC110 - no event tells of silence
            await asyncio.sleep(POLL_INTERVAL_S)
        self._feed(StreamLost("stream_quiet"))

    def _feed(self, event: StreamMessage | ModelEvent | EffectResult) -> None:
        if self._ended.done():
            return
        try:
            self._execute(self._call.handle(event, (self._loop.time() - self._began) * 1000))
        except Exception as fault:  # noqa: BLE001 - passed on to `run`; the sockets cannot handle it
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        if self._ended.done():
            self._report_fault("call failed after its end", fault)
        else:
            self._ended.set_exception(fault)

    def _report_fault(self, message: str, fault: BaseException) -> None:
        report_fault(message, fault, call_sid=self._context.call_sid)

    # Effects

    def _execute(self, effects: list[Effect]) -> None:
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
                    self._execute_indirect(effect)

    def _execute_indirect(self, effect: Effect) -> None:
        """Executes the effects that do not write to a socket."""
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
                # Not in the conversation's task group, so that it is sent even if the caller hangs up.
                self._escalations.add(asyncio.create_task(self._send(effect.call_id, effect.escalation)))
            case CheckEscalation():
                self._spawn(self._check_escalation(effect.escalation_id))
            case WriteTranscript():
                self._transcript_writer.keep(effect.turns)
            case HangUp():
                self._ended.set_result(None)

    # Timers and tasks

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
            output = await self._agent.toolbox.run(effect.name, effect.arguments, self._context)
        except Exception as fault:  # noqa: BLE001 - every function call needs an output
            self._report_fault("tool failed", fault)
            output = error_output(f"{effect.name} failed and gave no result.")
        self._feed(ToolFinished(effect.call_id, output))

    async def _send(self, call_id: str, escalation: Escalation) -> None:
        try:
            await self._storage.send(escalation)
        except QueueError as failure:
            _log.error("escalation not sent", call_sid=self._context.call_sid, error=str(failure))
        except Exception as fault:  # noqa: BLE001 - the model must be told; it is retried
            self._report_fault("escalation not sent", fault)
        else:
            _log.info("escalation sent", call_sid=self._context.call_sid, revision=escalation.revision)
            metric("worker", "EscalationsSent")
            self._feed(EscalationSent(call_id))
            return
        metric("worker", "EscalationsNotSent")
        self._feed(EscalationNotSent(call_id))

    async def _check_escalation(self, escalation_id: str) -> None:
        try:
            result: EffectResult = seen(escalation_id, await self._storage.escalation_record(escalation_id))
        except StoreUnavailable as failure:
            _log.warning("escalation check failed", call_sid=self._context.call_sid, error=str(failure))
            result = EscalationNotSeen(escalation_id)
        except Exception as fault:  # noqa: BLE001 - only this check fails, not the call
            self._report_fault("escalation check failed", fault)
            result = EscalationNotSeen(escalation_id)
        self._feed(result)

    # The end

    async def _finish(self) -> None:
        """Runs every step of the end, even if an earlier step fails."""
        ended = self._call.ended or HangUp(CallEnd.FAILED, "worker_fault")
        # Recorded before the stream closes, because Twilio then requests `/stream-ended`, which reads the record.
        for step in (self._record, self._close, self._finish_escalations, self._report):
            try:
                await step(ended)
            except Exception as fault:  # noqa: BLE001 - the next steps must run
                self._report_fault("step of the call's end failed", fault)

    async def _close(self, _ended: HangUp) -> None:
        self._stream.close()
        await self._model.close()
        await self._stream.wait_closed()

    async def _finish_escalations(self, _ended: HangUp) -> None:
        if unsent := self._call.escalation_requests.unsent:
            self._escalations.add(asyncio.create_task(self._send("", unsent)))
        if self._escalations:
            await asyncio.wait(self._escalations, timeout=_LAST_ESCALATIONS_S)

    async def _report(self, ended: HangUp) -> None:
        report(self._call, self._context, self._agent, ended, self._loop.time() - self._began)

    async def _record(self, ended: HangUp) -> None:
        try:
            async with asyncio.timeout(_RECORD_S):
                await self._transcript_writer.finish()
                await self._storage.record_end(
                    self._context.call_sid, ended.ended, ended.details, resumptions=self._resumptions
                )
        except ResumedMeanwhile:
            _log.warning("end not recorded: another worker has the call", call_sid=self._context.call_sid)
        except (StoreUnavailable, TimeoutError) as failure:
            _log.error("end not recorded", call_sid=self._context.call_sid, error=str(failure) or "no answer in time")
