"""Handles events about the caller: speech, keys, audio heard on the phone, and barge-in."""

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
    """Tells the other parts what the caller does. `interruptible`: the caller's speech and keys stop the agent."""

    effects: EffectQueue
    turn_taking: TurnTaking
    agent_audio: AgentAudio
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
        """Handles an event from the phone: a mark's echo or a key."""
        match message:
            case Mark():
                if self.agent_audio.heard(message.mark.name, now):
                    self.latency.heard(message.mark.name, now)
            case Dtmf():
                self.latency.dismissed()
                self.timeouts.caller_is_there()
                if self.interruptible:
                    self._barge_in(now, cancel=True)
                self.keypad.press(message.dtmf.digit)

    def on_model(self, event: events.CallerEvent, now: float) -> None:
        """Handles the model's events about the caller's speech."""
        match event:
            case events.SpeechStarted():
                self.timeouts.caller_is_there()
                self.effects.cancel(Timer.VAD_RESPONSE)
                self.turn_taking.caller_began()
                if self.interruptible:
                    # The server cancels the response by itself; our own cancel could only race with it.
                    self._barge_in(now, cancel=False)
            case events.SpeechStopped():
                # A caller who speaks over an uninterruptible agent starts to wait only when the agent has finished.
                if self.agent_audio.silent and not self.turn_taking.agent_speaks:
                    self.latency.caller_stopped(event.audio_end_ms, now)
                self.turn_taking.caller_paused()
            case events.IdleTimeout():
                self.turn_taking.caller_paused()
            case events.Committed():
                self.transcript.open(event.item_id, "caller", now)
                self.turn_taking.caller_turn_committed()
            case events.TranscriptionCompleted():
                self.transcript.caller_said(event.item_id, event.transcript, now)
                self.usage.add_transcription(event.usage)

    def _barge_in(self, now: float, *, cancel: bool) -> None:
        """Stops the agent. `cancel`: the server does not know of the interruption, so we cancel its response."""
        if self.farewell.being_handed_over:
            return
        self.farewell.caller_interrupts()
        if self.agent_audio.interrupt(now):
            self.barge_ins += 1
        if cancel and self.turn_taking.active_id and not self.turn_taking.is_muted(self.turn_taking.active_id):
            self.responses.cancel(self.turn_taking.active_id)
        self.turn_taking.mute()
