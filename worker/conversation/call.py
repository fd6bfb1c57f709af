"""One call, as a state machine without I/O: what Twilio, the model, tools and timers say goes in, effects come out.

It has no socket, no clock and no `await`, so every rule of a conversation can be tested under any order of events. Its
parts each know one thing (`turns` who may speak, `voice` what was heard, `tool_calls` which call still owes an output);
this file tells each of them what happened, and after every event lets the next response go out if one is due.
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

    With a `past` at another worker it goes on from there instead of greeting. `callbacks` says which numbers may be
    called back.
    """

    def __init__(
        self,
        agent: Agent,
        info: CallContext,
        started_at: datetime,
        past: ResumedCall | None = None,
        callbacks: CallbackRules = NO_LISTS,
    ) -> None:
        self.ended: HangUp | None = None
        self.usage = Usage()
        self.transcript = Transcript(started_at, past.turns if past else {})
        self._agent = agent
        self._past = past
        self._now = 0.0
        self._effects = EffectQueue()
        self._policy = ToolPolicy(agent.tool_choice)
        self._turns = TurnTaking(
            self._policy,
            agent.instructions,
            server_answers=agent.turn_detection.interrupt_response and agent.turn_detection.create_response,
            max_silent_responses=agent.limits.max_silent_responses,
        )
        self.escalation_requests = EscalationRequests(self._effects, info, past, callbacks)
        self._connect_parts(agent)
        self._connect_sides(agent)

    def _connect_parts(self, agent: Agent) -> None:
        """Makes the parts that work on others."""
        effects, turns, transcript = self._effects, self._turns, self.transcript
        self._session = SessionState(effects, agent, transcript)
        self.latency = Latency(self._session, agent.turn_detection)
        self._voice = AgentAudio(effects, transcript)
        self._keypad = Keypad(effects)
        self._farewell = Farewell(effects, turns)
        self._tool_calls = calls = ToolOutputs()
        self._recovery = Recovery(effects, turns, calls, self._farewell)
        notes = Notes(effects, transcript, turns)
        self._progress = EscalationProgress(effects, turns, self.escalation_requests, self._farewell, notes, self._past)
        self._timeouts = Timeouts(effects, turns, calls, self._voice, agent.limits)
        self._function_calls = ToolDispatcher(
            effects,
            calls,
            self._policy,
            agent.builtin,
            self.escalation_requests,
            self._progress,
            self._farewell,
            transcript,
            notes,
        )

    def _connect_sides(self, agent: Agent) -> None:
        """Makes what listens to the model and to the caller, and passes on what they say."""
        self.responses = Responses(
            self._effects,
            self._turns,
            self._voice,
            self._tool_calls,
            self._function_calls,
            self._recovery,
            self._farewell,
            self.transcript,
            self.usage,
            self.latency,
        )
        self.caller = Caller(
            self._effects,
            self._turns,
            self._voice,
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
        """The stream has started."""
        self._session.open()
        self._timeouts.begin()
        self._progress.look()
        return self._effects.take()

    @property
    def quiet(self) -> bool:
        """Between two turns, with nothing under way that another worker would have to do again."""
        return self._session.ready and self._timeouts.quiet and not (self._keypad.pressed or self._farewell.underway)

    def handle(self, event: StreamMessage | ModelEvent | EffectResult, now: float) -> list[Effect]:
        """Takes one event; gives what is to be done about it, in order. After the call has ended, nothing is."""
        if self.ended:
            return []
        self._now = now
        self._dispatch(event)
        if not self.ended:
            self._settle(may_ask=not isinstance(event, events.Error))
        return self._effects.take()

    def hear(self, payload: msgspec.Raw) -> bool:
        """Takes 20 ms of the caller's audio; True if they are to go to the model now.

        It is no event, because it changes nothing that could give anyone the floor, and comes fifty times a second.
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
            self._on_outcome(event)
        elif isinstance(event, events.CallerEvent):
            self.caller.on_model(event, self._now)

    # The session

    def _on_session(self, event: events.SessionEvent | SessionReady) -> None:
        match event:
            case events.SessionCreated() | SessionReady():
                configured = self._session.configure(event, self._policy.for_caller_turn, self.transcript.at(self._now))
                if configured:
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
            words = first_words(self._agent.greeting, self._past, self.transcript.last_words)
            self._turns.request(Purpose.PROMPT, words)

    # What comes of effects

    def _on_outcome(self, outcome: EffectResult) -> None:
        match outcome:
            case ToolFinished() | EscalationSent() | EscalationNotSent():
                self._function_calls.finish(outcome, self._now)
            case EscalationSeen() | EscalationNotSeen():
                self._progress.take(outcome, self._now)
            case ModelLost():
                self._on_model_lost(outcome)
            case SpareOpened() | SpareNotOpened():
                self._session.prepared(opened=isinstance(outcome, SpareOpened))
            case StreamLost():
                self._hang_up(CallEnd.FAILED if outcome.foreign else CallEnd.MOVED, outcome.reason)
            case TimerFired():
                if self._effects.fired(outcome.timer):
                    self._on_timer(outcome.timer)

    def _on_model_lost(self, lost: ModelLost) -> None:
        was_ready = self._session.ready
        if lost.final or not self._session.lost():
            self._give_up_for(lost.reason)
        elif was_ready:
            self._forget_session()
            self._give_up_for(self._recovery.lost_again())

    def _forget_session(self) -> None:
        """The next session will be told what matters; what belonged to the last one is settled or wanted again."""
        self._recovery.session_lost()
        self._tool_calls.session_lost()
        self._voice.session_lost()
        self._farewell.session_lost()
        if self._turns.session_lost():
            self._turns.request(Purpose.TOOL_OUTPUT, prompts.restored(self.transcript.last_words))

    def _on_timer(self, timer: Timer) -> None:
        match timer:
            case Timer.SESSION:
                self._give_up_for("session_not_ready")
            case Timer.RENEWAL:
                self._session.prepare()
            case Timer.RECONNECT:
                self._session.connect()
            case Timer.DEAD_AIR | Timer.LONG_WAIT:
                self._voice.play_hold_tone()
            case Timer.RESPONSE:
                self._give_up_for(self._recovery.request_lost())
            case Timer.VAD_RESPONSE:
                self._turns.vad_timed_out()
            case Timer.RETRY:
                self._recovery.retry()
            case Timer.SILENCE:
                self._timeouts.line_is_silent(self._farewell, self._progress.waiting)
            case Timer.KEYPAD:
                self._keypad.tell_model(self.transcript, self._now)
                self._turns.request(Purpose.CALLER_TURN)
            case Timer.WARNING:
                self._turns.request(Purpose.PROMPT, prompts.NEAR_TIME_LIMIT)
            case Timer.TIME_LIMIT:
                self._farewell.say_goodbye("time_limit", prompts.TIME_LIMIT_GOODBYE, final=True)
            case Timer.ESCALATION:
                self.escalation_requests.try_again()
            case Timer.ESCALATION_WATCH:
                self._progress.look()
            case Timer.FAREWELL if end := self._farewell.end:
                self._end(end)

    # After every event

    def _settle(self, *, may_ask: bool) -> None:
        if (end := self._farewell.end) and self._farewell.said and self._voice.silent:
            self._end(end)
            return
        if self._recovery.session_useless or (self._session.spare and self._timeouts.quiet):
            self._session.renew()
            self._forget_session()
        if may_ask and self._session.ready:
            self._ask_for_response()
        if self.latency.waiting and not self._timeouts.answer_owed:
            self.latency.dismissed()
        self._keep_turns()
        self._progress.keep_on()
        self._timeouts.watch(self._session, talking=self._keypad.pressed or self._farewell.underway)

    def _ask_for_response(self) -> None:
        if self._turns.free and self._tool_calls.reply_due and not self._farewell.underway:
            self._turns.request(Purpose.TOOL_OUTPUT)
        if not self._farewell.being_handed_over and (request := self._turns.next_request()):
            self._tool_calls.reply_requested()
            self._effects.to_model(request)

    def _keep_turns(self) -> None:
        if changes := self.transcript.take_changes():
            self._effects.put(WriteTranscript(changes))

    def _give_up_for(self, reason: str | None) -> None:
        if reason:  # with a person on the line, they are the way out
            self._end(self._farewell.hand_over or HangUp(CallEnd.FAILED, reason))

    def _hang_up(self, ended: CallEnd, reason: str) -> None:
        self._end(HangUp(ended, reason))

    def _end(self, end: HangUp) -> None:
        if not end.ended.normal:  # what waits at Twilio goes with the stream; whoever takes over must know
            self._voice.interrupt(self._now)
        self.transcript.agent_finished()
        self._keep_turns()
        self.ended = end
        self._effects.put(end)
