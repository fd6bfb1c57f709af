"""One call as a state machine without I/O: events from Twilio, the model, tools and timers go in, effects come out.

It has no socket, no clock and no `await`, so every rule of a conversation can be tested under any order of events. Each
part has one task: `TurnTaking` decides who may speak, `AgentAudio` tracks what the caller has heard, `ToolOutputs`
tracks which function call still needs an output. `Call` passes each event to the parts, and then sends the next
`response.create` if one is due.
"""

from datetime import datetime

import msgspec

from shared.calls.ending import CallEnd
from shared.escalations.callback_numbers import NO_LISTS, CallbackRules
from worker.agents import Agent
from worker.conversation import prompts
from worker.conversation.caller import Caller
from worker.conversation.effects import (
    Effect,
    EffectQueue,
    EffectResult,
    EscalationNotSeen,
    EscalationNotSent,
    EscalationSeen,
    EscalationSent,
    HangUp,
    ModelLost,
    SessionReady,
    SpareNotOpened,
    SpareOpened,
    StreamLost,
    Timer,
    TimerFired,
    ToolFinished,
    WriteTranscript,
)
from worker.conversation.escalation import EscalationRequests
from worker.conversation.escalation_progress import EscalationProgress
from worker.conversation.farewell import Farewell
from worker.conversation.greeting import first_words
from worker.conversation.keypad import Keypad
from worker.conversation.latency import Latency
from worker.conversation.notes import Notes
from worker.conversation.playback import AgentAudio
from worker.conversation.resumption import ResumedCall
from worker.conversation.timeouts import Timeouts
from worker.conversation.tool_calls import ToolDispatcher
from worker.conversation.transcript import Transcript
from worker.engines.realtime import events
from worker.engines.realtime.events import ModelEvent, Session
from worker.engines.realtime.recovery import Recovery
from worker.engines.realtime.responses import Responses
from worker.engines.realtime.session_state import SessionState
from worker.engines.realtime.tool_outputs import ToolOutputs
from worker.engines.realtime.turns import Purpose, ToolPolicy, TurnTaking
from worker.engines.realtime.usage import Usage
from worker.tools import CallContext
from worker.twilio.media_stream import Dtmf, Mark, Stop, StreamMessage


class Call:
    """A conversation between one caller and the model. `now` is in ms since the call started.

    If another worker had the call before (`resumed`), it continues from there instead of greeting. `callbacks` says
    which numbers may be called back.
    """

    def __init__(
        self,
        agent: Agent,
        context: CallContext,
        started_at: datetime,
        resumed: ResumedCall | None = None,
        callbacks: CallbackRules = NO_LISTS,
    ) -> None:
        self.ended: HangUp | None = None
        self.usage = Usage()
        self.transcript = Transcript(started_at, resumed.entries if resumed else {})
        self._agent = agent
        self._resumed = resumed
        self._now = 0.0
        self._effects = EffectQueue()
        self._tool_policy = ToolPolicy(agent.tool_choice)
        self._turn_taking = TurnTaking(
            self._tool_policy,
            agent.instructions,
            server_answers=agent.turn_detection.interrupt_response and agent.turn_detection.create_response,
            max_silent_responses=agent.limits.max_silent_responses,
        )
        self.escalation_requests = EscalationRequests(self._effects, context, resumed, callbacks)
        self._connect_parts(agent)
        self._connect_sides(agent)

    def _connect_parts(self, agent: Agent) -> None:
        """Creates the parts that do not handle events of the model or the phone."""
        effects, turn_taking, transcript = self._effects, self._turn_taking, self.transcript
        self._session = SessionState(effects, agent, transcript)
        self.latency = Latency(self._session, agent.turn_detection)
        self._agent_audio = AgentAudio(effects, transcript)
        self._keypad = Keypad(effects)
        self._farewell = Farewell(effects, turn_taking)
        self._tool_outputs = tool_outputs = ToolOutputs()
        self._recovery = Recovery(effects, turn_taking, tool_outputs, self._farewell)
        notes = Notes(effects, transcript, turn_taking)
        self._progress = EscalationProgress(
            effects, turn_taking, self.escalation_requests, self._farewell, notes, self._resumed
        )
        self._timeouts = Timeouts(effects, turn_taking, tool_outputs, self._agent_audio, agent.limits)
        self._tool_dispatcher = ToolDispatcher(
            effects,
            tool_outputs,
            self._tool_policy,
            agent.builtin,
            self.escalation_requests,
            self._progress,
            self._farewell,
            transcript,
            notes,
        )

    def _connect_sides(self, agent: Agent) -> None:
        """Creates the parts that handle events of the model and of the phone."""
        self.responses = Responses(
            self._effects,
            self._turn_taking,
            self._agent_audio,
            self._tool_outputs,
            self._tool_dispatcher,
            self._recovery,
            self._farewell,
            self.transcript,
            self.usage,
            self.latency,
        )
        self.caller = Caller(
            self._effects,
            self._turn_taking,
            self._agent_audio,
            self._keypad,
            self._farewell,
            self._timeouts,
            self.responses,
            self.transcript,
            self.usage,
            self.latency,
            agent.turn_detection.interrupt_response,
        )

    def begin(self) -> list[Effect]:
        """Starts the call when its stream starts; returns the first effects."""
        self._session.open()
        self._timeouts.begin()
        self._progress.check()
        return self._effects.take()

    @property
    def quiet(self) -> bool:
        """Nobody speaks and nothing is running, so the call can move to another worker without repeating work."""
        return self._session.ready and self._timeouts.quiet and not (self._keypad.pressed or self._farewell.underway)

    def handle(self, event: StreamMessage | ModelEvent | EffectResult, now: float) -> list[Effect]:
        """Handles one event; returns the effects to carry out, in order. After the call has ended there are none."""
        if self.ended:
            return []
        self._now = now
        self._dispatch(event)
        if not self.ended:
            self._settle(may_ask=not isinstance(event, events.Error))
        return self._effects.take()

    def hear(self, payload: msgspec.Raw) -> bool:
        """Takes 20 ms of the caller's audio; True if it must go to the model now.

        Audio is not handled as an event: it comes fifty times a second and never changes whose turn it is.
        """
        return not self.ended and self._session.hear(payload)

    def _dispatch(self, event: StreamMessage | ModelEvent | EffectResult) -> None:
        if isinstance(event, events.AudioDelta | events.AgentEvent):
            self._give_up_for(self.responses.handle(event, self._now))
        elif isinstance(event, Mark | Dtmf):
            self.caller.on_phone(event, self._now)
        elif isinstance(event, Stop):
            self._hang_up(CallEnd.CALLER_HUNG_UP, "caller_hung_up")
        elif isinstance(event, events.SessionEvent | SessionReady):
            self._on_session(event)
        elif isinstance(event, EffectResult):
            self._on_effect_result(event)
        elif isinstance(event, events.CallerEvent):
            self.caller.on_model(event, self._now)

    # The session

    def _on_session(self, event: events.SessionEvent | SessionReady) -> None:
        match event:
            case events.SessionCreated() | SessionReady():
                if configured := self._session.configure(
                    event, self._tool_policy.for_caller_turn, self.transcript.at(self._now)
                ):
                    self._begin_session(configured)
            case events.SessionUpdated() if not self._session.ready:
                self._begin_session(event.session)
            case events.Error():
                self._give_up_for(self._recovery.error(event.error, ready=self._session.ready))

    def _begin_session(self, session: Session) -> None:
        first = not self._session.was_ready
        if wrong := self._session.confirm(session):
            self._give_up_for(f"session_rejected: {wrong}")
        elif first:
            words = first_words(self._agent.greeting, self._resumed, self.transcript.last_words)
            self._turn_taking.request(Purpose.PROMPT, words)

    # Effect results

    def _on_effect_result(self, result: EffectResult) -> None:
        match result:
            case ToolFinished() | EscalationSent() | EscalationNotSent():
                self._tool_dispatcher.finish(result, self._now)
            case EscalationSeen() | EscalationNotSeen():
                self._progress.checked(result, self._now)
            case ModelLost():
                self._on_model_lost(result)
            case SpareOpened() | SpareNotOpened():
                self._session.prepared(opened=isinstance(result, SpareOpened))
            case StreamLost():
                self._hang_up(CallEnd.FAILED if result.foreign else CallEnd.MOVED, result.reason)
            case TimerFired():
                if self._effects.fired(result.timer):
                    self._on_timer(result.timer)

    def _on_model_lost(self, lost: ModelLost) -> None:
        was_ready = self._session.ready
        if lost.final or not self._session.lost():
            self._give_up_for(lost.reason)
        elif was_ready:
            self._forget_session()
            self._give_up_for(self._recovery.lost_again())

    def _forget_session(self) -> None:
        """Discards the state of the lost session and queues again the responses that it did not give."""
        self._recovery.session_lost()
        self._tool_outputs.session_lost()
        self._agent_audio.session_lost()
        self._farewell.session_lost()
        if self._turn_taking.session_lost():
            self._turn_taking.request(Purpose.TOOL_OUTPUT, prompts.restored(self.transcript.last_words))

    def _on_timer(self, timer: Timer) -> None:
        match timer:
            case Timer.SESSION:
                self._give_up_for("session_not_ready")
            case Timer.RENEWAL:
                self._session.prepare()
            case Timer.RECONNECT:
                self._session.connect()
            case Timer.DEAD_AIR | Timer.LONG_WAIT:
                self._agent_audio.play_hold_tone()
            case Timer.RESPONSE:
                self._give_up_for(self._recovery.request_lost())
            case Timer.VAD_RESPONSE:
                self._turn_taking.vad_timed_out()
            case Timer.RETRY:
                self._recovery.retry()
            case Timer.SILENCE:
                self._timeouts.line_is_silent(self._farewell, self._progress.waiting)
            case Timer.KEYPAD:
                self._keypad.tell_model(self.transcript, self._now)
                self._turn_taking.request(Purpose.CALLER_TURN)
            case Timer.WARNING:
                self._turn_taking.request(Purpose.PROMPT, prompts.NEAR_TIME_LIMIT)
            case Timer.TIME_LIMIT:
                self._farewell.say_goodbye("time_limit", prompts.TIME_LIMIT_GOODBYE, final=True)
            case Timer.ESCALATION:
                self.escalation_requests.try_again()
            case Timer.ESCALATION_CHECK:
                self._progress.check()
            case Timer.FAREWELL if end := self._farewell.end:
                self._end(end)

    # After every event

    def _settle(self, *, may_ask: bool) -> None:
        if (end := self._farewell.end) and self._farewell.said and self._agent_audio.silent:
            self._end(end)
            return
        if self._recovery.session_useless or (self._session.spare and self._timeouts.quiet):
            self._session.renew()
            self._forget_session()
        if may_ask and self._session.ready:
            self._ask_for_response()
        if self.latency.waiting and not self._timeouts.answer_owed:
            self.latency.dismissed()
        self._write_transcript()
        self._progress.schedule_check()
        self._timeouts.update(self._session, busy=self._keypad.pressed or self._farewell.underway)

    def _ask_for_response(self) -> None:
        if self._turn_taking.free and self._tool_outputs.reply_due and not self._farewell.underway:
            self._turn_taking.request(Purpose.TOOL_OUTPUT)
        if not self._farewell.being_handed_over and (request := self._turn_taking.next_request()):
            self._tool_outputs.reply_requested()
            self._effects.to_model(request)

    def _write_transcript(self) -> None:
        if changes := self.transcript.take_changes():
            self._effects.put(WriteTranscript(changes))

    def _give_up_for(self, reason: str | None) -> None:
        if reason:  # if a person is ready to take over, the call goes to them instead of failing
            self._end(self._farewell.hand_over or HangUp(CallEnd.FAILED, reason))

    def _hang_up(self, ended: CallEnd, reason: str) -> None:
        self._end(HangUp(ended, reason))

    def _end(self, end: HangUp) -> None:
        if not end.ended.normal:  # audio not yet played is lost with the stream: cut it from the transcript
            self._agent_audio.interrupt(self._now)
        self.transcript.agent_finished()
        self._write_transcript()
        self.ended = end
        self._effects.put(end)
