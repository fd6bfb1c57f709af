"""The caller: speaks, presses keys, hears, and may take the floor from the agent."""

from dataclasses import dataclass

from worker.conversation.effects import EffectQueue, Timer
from worker.conversation.farewell import Farewell
from worker.conversation.keypad import Keypad
from worker.conversation.latency import Latency
from worker.conversation.playback import AgentAudio
from worker.conversation.timeouts import Timeouts
from worker.conversation.transcript import Transcript
from worker.engines.realtime import events
from worker.engines.realtime.responses import Responses
from worker.engines.realtime.turns import TurnTaking
from worker.engines.realtime.usage import Usage
from worker.twilio.media_stream import Dtmf, Mark


@dataclass
class Caller:
    """Tells the other parts what the caller does. `interruptible`: the agent falls silent when the caller speaks."""

    effects: EffectQueue
    turns: TurnTaking
    voice: AgentAudio
    keypad: Keypad
    farewell: Farewell
    timeouts: Timeouts
    responses: Responses
    transcript: Transcript
    usage: Usage
    latency: Latency
    interruptible: bool
    barge_ins: int = 0

    def on_phone(self, message: Mark | Dtmf, now: float) -> None:
        """What the telephone itself tells."""
        match message:
            case Mark():
                if self.voice.heard(message.mark.name, now):
                    self.latency.heard(message.mark.name, now)
            case Dtmf():
                self.latency.dismissed()
                self.timeouts.caller_is_there()
                if self.interruptible:
                    self._barge_in(now, cancel=True)
                self.keypad.press(message.dtmf.digit)

    def on_model(self, event: events.CallerEvent, now: float) -> None:
        """The caller as the model hears them."""
        match event:
            case events.SpeechStarted():
                self.timeouts.caller_is_there()
                self.effects.cancel(Timer.VAD_RESPONSE)
                self.turns.caller_began()
                if self.interruptible:
                    # The server cancels the response by itself; a cancel of ours could only race with that.
                    self._barge_in(now, cancel=False)
            case events.SpeechStopped():
                # Whoever speaks over an agent that may not be interrupted begins to wait only when it has finished.
                if self.voice.silent and not self.turns.agent_speaks:
                    self.latency.caller_stopped(event.audio_end_ms, now)
                self.turns.caller_paused()
            case events.IdleTimeout():
                self.turns.caller_paused()
            case events.Committed():
                self.transcript.open(event.item_id, "caller", now)
                self.turns.caller_turn_committed()
            case events.TranscriptionCompleted():
                self.transcript.caller_said(event.item_id, event.transcript, now)
                self.usage.add_transcription(event.usage)

    def _barge_in(self, now: float, *, cancel: bool) -> None:
        """The caller takes the floor. `cancel`: the server has not noticed and must be told to stop."""
        if self.farewell.being_handed_over:
            return
        self.farewell.caller_interrupts()
        if self.voice.interrupt(now):
            self.barge_ins += 1
        if cancel and self.turns.active_id and not self.turns.is_muted(self.turns.active_id):
            self.responses.cancel(self.turns.active_id)
        self.turns.mute()
