"""Runs the model's function calls: the built-in tools and the agent's own tools."""

import json
from typing import Final

from shared.agents.tool_names import END_CALL, ESCALATE_TO_HUMAN, ESCALATION_STATUS
from worker.conversation import prompts
from worker.conversation.effects import EffectQueue, EscalationNotSent, EscalationSent, RunTool, ToolFinished
from worker.conversation.escalation import ENTRIES_SENT, EscalationRequests
from worker.conversation.escalation_progress import EscalationProgress
from worker.conversation.farewell import Farewell
from worker.conversation.notes import Notes
from worker.conversation.transcript import Transcript, sent_after_all, tool_outcome, tool_request
from worker.engines.realtime.events import Item
from worker.engines.realtime.session import tool_choice_update
from worker.engines.realtime.tool_outputs import ToolOutputs
from worker.engines.realtime.turns import ToolPolicy
from worker.tools.builtin import EscalateArguments, parse_arguments

_ENDING: Final = json.dumps({"status": "ending"})


class ToolDispatcher:
    """Gives each function call of the model exactly one output. `builtin` names the agent's built-in tools."""

    def __init__(
        self,
        effects: EffectQueue,
        tool_outputs: ToolOutputs,
        tool_policy: ToolPolicy,
        builtin: frozenset[str],
        escalation_requests: EscalationRequests,
        progress: EscalationProgress,
        farewell: Farewell,
        transcript: Transcript,
        notes: Notes,
    ) -> None:
        self._effects = effects
        self._transcript = transcript
        self._notes = notes
        self._tool_outputs = tool_outputs
        self._tool_policy = tool_policy
        self._builtin = builtin
        self._escalation_requests = escalation_requests
        self._progress = progress
        self._farewell = farewell
        self._requests: dict[str, str] = {}  # by call id: the function call as the transcript notes it

    def start(self, item: Item, response_id: str, now: float) -> None:
        """Runs a function call. Several events report the same call; only the first one counts."""
        call_id, name, arguments = item.call_id or "", item.name or "", item.arguments or ""
        if not self._tool_outputs.began(call_id, response_id):
            return
        self._requests[call_id] = tool_request(name, arguments)
        if name not in self._builtin:
            self._effects.put(RunTool(call_id, name, arguments))
        elif name == ESCALATE_TO_HUMAN:
            parsed = parse_arguments(EscalateArguments, arguments)
            if isinstance(parsed, EscalateArguments):
                self._escalation_requests.request(
                    call_id, parsed, self._transcript.turns(ENTRIES_SENT), self._transcript.at(now)
                )
            else:
                self._answer(call_id, parsed, now, ran=False)
        elif name == ESCALATION_STATUS:
            self._answer(call_id, self._progress.answer(self._transcript.at(now), now), now)
        elif name == END_CALL:
            self._farewell.after_response("agent_ended_call", prompts.GOODBYE, response_id)
            self._answer(call_id, _ENDING, now)

    def finish(self, result: ToolFinished | EscalationSent | EscalationNotSent, now: float) -> None:
        """Answers a function call with its result, unless it was answered before."""
        match result:
            case ToolFinished():
                self._answer(result.call_id, result.output, now)
            case EscalationSent():
                output = self._escalation_requests.sent(result.call_id)
                if output and self._escalation_requests.is_retry(result.call_id):
                    self._notes.tell(sent_after_all(output), now)
                else:
                    self._answer(result.call_id, output, now)
            case EscalationNotSent():
                self._answer(result.call_id, self._escalation_requests.not_sent(result.call_id), now)

    def _answer(self, call_id: str, output: str | None, now: float, *, ran: bool = True) -> None:
        """`ran` is False if the tool was refused before it ran."""
        outlived = self._tool_outputs.outlived(call_id)
        if output is None or not self._tool_outputs.answered(call_id):
            return
        note = tool_outcome(self._requests.pop(call_id), output)
        if outlived:
            # An earlier session made this call, so the present one gets the result as text.
            self._notes.tell(note, now)
        else:
            self._transcript.note(note, now)
            item = {"type": "function_call_output", "call_id": call_id, "output": output}
            self._effects.to_model({"type": "conversation.item.create", "item": item})
        if ran and self._tool_policy.tool_ran():
            self._effects.to_model(tool_choice_update(self._tool_policy.for_caller_turn))
