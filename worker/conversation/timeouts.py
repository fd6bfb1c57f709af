"""How long a call waits: for the model, for the caller, and altogether. Whenever the line is silent a timer runs."""

from typing import Final

from shared.agents import Limits
from worker.conversation import prompts
from worker.conversation.effects import EffectQueue, Timer
from worker.conversation.farewell import Farewell
from worker.conversation.playback import AgentAudio
from worker.engines.realtime.session_state import SessionState
from worker.engines.realtime.tool_outputs import ToolOutputs
from worker.engines.realtime.turns import Purpose, TurnTaking

# Far longer than the model takes when all is well; a caller waits no longer than this for a sign of life.
_RESPONSE_BEGINS_MS: Final = 10_000
_SERVER_ANSWERS_MS: Final = 5_000
_DEAD_AIR_MS: Final = 1_500
# Longer than a model thinks before it speaks, or a tool usually takes: what comes in time is not announced by a tone.
_LONG_WAIT_MS: Final = 3_000


class Timeouts:
    """Sets and cancels the timers that follow from what the other parts of a call are doing."""

    def __init__(
        self, effects: EffectQueue, turns: TurnTaking, tool_calls: ToolOutputs, voice: AgentAudio, limits: Limits
    ) -> None:
        self._effects = effects
        self._turns = turns
        self._tool_calls = tool_calls
        self._voice = voice
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
        """Nobody has said anything for too long: asks whether the caller is still there, or gives up.

        A caller who waits for a person may well be silent: they are told what `waiting` says.
        """
        if waiting:
            self._turns.request(Purpose.PROMPT, waiting)
            return
        self._questions += 1
        if self._questions <= self._limits.silence_questions:
            self._turns.request(Purpose.PROMPT, prompts.ASK_IF_STILL_THERE)
        else:
            farewell.say_goodbye("silence", prompts.SILENCE_GOODBYE)

    @property
    def quiet(self) -> bool:
        """Between two turns: nobody speaks, and nothing that was asked for is still to come."""
        return self._turns.idle and self._voice.silent and not self._tool_calls.running

    def watch(self, session: SessionState, *, talking: bool) -> None:
        """Looks who is being waited for. `talking`: the silence has a reason that turns do not know of."""
        self._keep(Timer.RESPONSE, _RESPONSE_BEGINS_MS, running=self._turns.requested)
        self._keep(Timer.VAD_RESPONSE, _SERVER_ANSWERS_MS, running=self._turns.awaiting_answer)
        self._keep(Timer.SILENCE, self._limits.silence_s * 1000, running=self.quiet and session.ready and not talking)
        lost = session.was_ready and not session.ready
        waits = lost or (session.ready and self.answer_owed)
        self._keep(Timer.DEAD_AIR, _DEAD_AIR_MS, running=lost and self._voice.silent)
        self._keep(Timer.LONG_WAIT, _LONG_WAIT_MS, running=waits and self._voice.silent)

    @property
    def answer_owed(self) -> bool:
        """The caller waits for the agent: for a response, a tool, or another try of what failed."""
        if self._turns.caller_speaking:
            return False
        return not self._turns.idle or self._tool_calls.running or self._effects.is_set(Timer.RETRY)

    def _keep(self, timer: Timer, after_ms: float, *, running: bool) -> None:
        if not running:
            self._effects.cancel(timer)
        elif not self._effects.is_set(timer):
            self._effects.set(timer, after_ms)
