"""A call that comes from another worker: what was said there, and what has become of its escalations."""

from dataclasses import dataclass

from shared.calls.transcript import TranscriptEntry
from shared.escalations.record import EscalationRecord
from worker.conversation.transcript import tells_of_call, tells_of_sending


@dataclass(frozen=True, slots=True)
class ResumedCall:
    """What was said in the same call at another worker, by its place in the conversation.

    `apologise`: the caller has waited because that worker died. `returned`: they were handed over to a person, and are
    back. `records` are the call's escalations, by their number.
    """

    turns: dict[int, TranscriptEntry]
    apologise: bool
    returned: bool = False
    records: tuple[EscalationRecord, ...] = ()

    @property
    def escalations_sent(self) -> int:
        """How many escalations the model was told to have been sent; the table may not have the last one yet."""
        return sum(turn.role == "tool" and tells_of_sending(turn.text) for turn in self.turns.values())

    def calls_of(self, tool: str) -> int:
        """How often a tool was used there."""
        return sum(turn.role == "tool" and tells_of_call(turn.text, tool) for turn in self.turns.values())
