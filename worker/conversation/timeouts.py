"""The time-outs of a call: for the model, for the caller, and for the whole call. A timer runs during every silence."""

from typing import Final

from shared.agents import Limits
from worker.conversation import prompts
from worker.conversation.effects import EffectQueue, Timer
from worker.conversation.farewell import Farewell
from worker.conversation.playback import AgentAudio
from worker.engines.realtime.session_state import SessionState
from worker.engines.realtime.tool_outputs import ToolOutputs
from worker.engines.realtime.turns import Purpose, TurnTaking

# Far longer than a healthy model takes; after this a request counts as failed and is retried.
_RESPONSE_BEGINS_MS: Final = 10_000
_SERVER_ANSWERS_MS: Final = 5_000
_DEAD_AIR_MS: Final = 1_500
# Longer than a model usually takes to speak or a tool to run, so a normal answer has no tone before it.
_LONG_WAIT_MS: Final = 3_000


class Timeouts:
    """Sets and cancels timers according to the state of the call's other parts."""

    def __init__(
        self,
        effects: EffectQueue,
        turn_taking: TurnTaking,
        tool_outputs: ToolOutputs,
        agent_audio: AgentAudio,
        limits: Limits,
    ) -> None:
        self._effects = effects
        self._turn_taking = turn_taking
        self._tool_outputs = tool_outputs
        self._agent_audio = agent_audio
        self._limits = limits
        self._questions = 0

    def begin(self) -> None:
        limits = self._limits
        self._effects.set(Timer.TIME_LIMIT, limits.max_call_s * 1000)
        if limits.warn_before_end_s:
            self._effects.set(Timer.WARNING, (limits.max_call_s - limits.warn_before_end_s) * 1000)

    def caller_is_there(self) -> None:
        self._questions = 0

    def line_is_silent(self, farewell: Farewell, waiting: str | None) -> None:
        """Neither side has spoken for too long: asks whether the caller is still there, or ends the call.

        `waiting`: instructions for a caller who waits for a person, and therefore may be silent.
        """
        if waiting:
            self._turn_taking.request(Purpose.PROMPT, waiting)
            return
        self._questions += 1
        if self._questions <= self._limits.silence_questions:
            self._turn_taking.request(Purpose.PROMPT, prompts.ASK_IF_STILL_THERE)
        else:
            farewell.say_goodbye("silence", prompts.SILENCE_GOODBYE)

    @property
    def quiet(self) -> bool:
        """Neither side speaks, no response is due, no audio is playing, and no tool runs."""
        return self._turn_taking.idle and self._agent_audio.silent and not self._tool_outputs.running

    def update(self, session: SessionState, *, busy: bool) -> None:
        """Sets and cancels the timers after an event. `busy`: keys are being pressed or the call is ending."""
        self._keep(Timer.RESPONSE, _RESPONSE_BEGINS_MS, running=self._turn_taking.requested)
        self._keep(Timer.VAD_RESPONSE, _SERVER_ANSWERS_MS, running=self._turn_taking.awaiting_answer)
        self._keep(Timer.SILENCE, self._limits.silence_s * 1000, running=self.quiet and session.ready and not busy)
        lost = session.was_ready and not session.ready
        waits = lost or (session.ready and self.answer_owed)
        self._keep(Timer.DEAD_AIR, _DEAD_AIR_MS, running=lost and self._agent_audio.silent)
        self._keep(Timer.LONG_WAIT, _LONG_WAIT_MS, running=waits and self._agent_audio.silent)

    @property
    def answer_owed(self) -> bool:
        """The caller waits for the agent: for a response, a tool, or the retry of a failed response."""
        if self._turn_taking.caller_speaking:
            return False
        return not self._turn_taking.idle or self._tool_outputs.running or self._effects.is_set(Timer.RETRY)

    def _keep(self, timer: Timer, after_ms: float, *, running: bool) -> None:
        if not running:
            self._effects.cancel(timer)
        elif not self._effects.is_set(timer):
            self._effects.set(timer, after_ms)
