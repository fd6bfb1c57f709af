"""Handles the events of the model's responses: words, audio, function calls, beginning and end."""

from dataclasses import dataclass

from worker.conversation.effects import EffectQueue
from worker.conversation.farewell import Farewell
from worker.conversation.latency import Latency
from worker.conversation.playback import AgentAudio
from worker.conversation.tool_calls import ToolDispatcher
from worker.conversation.transcript import Transcript
from worker.engines.realtime import events
from worker.engines.realtime.errors import Treatment, treatment_of
from worker.engines.realtime.recovery import Recovery
from worker.engines.realtime.tool_outputs import ToolOutputs
from worker.engines.realtime.turns import TurnTaking
from worker.engines.realtime.usage import Usage


@dataclass
class Responses:
    """Passes audio to `AgentAudio`, words to the transcript and function calls to the tool dispatcher."""

    effects: EffectQueue
    turn_taking: TurnTaking
    agent_audio: AgentAudio
    tool_outputs: ToolOutputs
    tool_dispatcher: ToolDispatcher
    recovery: Recovery
    farewell: Farewell
    transcript: Transcript
    usage: Usage
    latency: Latency
    first_audio_ms: float | None = None

    def handle(self, event: events.AgentEvent | events.AudioDelta, now: float) -> str | None:
        """Handles one event; returns the reason if the call must be given up, or None."""
        match event:
            case events.AudioDelta():
                self._audio(event, now)
            case events.TranscriptDelta():
                if not self.turn_taking.is_muted(event.response_id):
                    self.transcript.agent_says(event.item_id, event.delta, now)
            case events.ItemAdded():
                if event.item.type == "function_call_output":
                    self.tool_outputs.added(event.item.call_id)
            case events.ResponseCreated():
                self._created(event.response)
            case events.OutputItemAdded():
                if event.item.type == "message":
                    self.transcript.open(event.item.id, "agent", now)
            case events.OutputItemDone():
                # The earliest event with the name, all arguments and a reliable status.
                if event.item.type == "function_call" and event.item.status in (None, "completed"):
                    self.latency.tool_called()
                    self.tool_dispatcher.start(event.item, event.response_id, now)
            case events.ResponseDone():
                return self._done(event.response)
        return None

    def cancel(self, response_id: str) -> None:
        """Tells the server to stop this response."""
        self.effects.to_model({"type": "response.cancel", "response_id": response_id})

    def _audio(self, delta: events.AudioDelta, now: float) -> None:
        if self.turn_taking.is_muted(delta.response_id):
            self.agent_audio.drop(delta)
        elif first_sound := self.agent_audio.play(delta):
            self.turn_taking.spoke(delta.response_id)
            self.latency.sent(first_sound, now)
            if self.first_audio_ms is None:
                self.first_audio_ms = now

    def _created(self, response: events.Response) -> None:
        requested = self.turn_taking.created(response.id, response.metadata)
        self.tool_outputs.reply_began(requested=requested)
        if self.farewell.being_handed_over:
            self.turn_taking.mute()
        if self.turn_taking.is_muted(response.id):
            self.cancel(response.id)

    def _done(self, response: events.Response) -> str | None:
        self.usage.add_response(response.usage)
        self.transcript.agent_finished()
        self.tool_outputs.response_finished(response.id)
        finished = self.turn_taking.done(response.id, response.metadata)
        if finished is None:
            return None
        error = response.status_details.error if response.status_details else None
        useless = not finished.spoke and not self.tool_outputs.of(response.id)
        if response.status == "failed" and (not finished.muted or treatment_of(error) is Treatment.FATAL):
            return self.recovery.failed(finished.request, error)
        if response.status == "incomplete" and useless and not finished.muted:
            return self.recovery.failed(finished.request, None)
        self.recovery.succeeded()
        self.farewell.response_over(response.id, finished)
        return None
