"""A call that another worker had before: its transcript and its escalation records."""

from dataclasses import dataclass

from shared.calls.transcript import TranscriptEntry
from shared.escalations.record import EscalationRecord
from worker.conversation.transcript import tells_of_call, tells_of_sending


@dataclass(frozen=True, slots=True)
class ResumedCall:
    """The call's transcript entries so far, by their place in the conversation, and its escalations.

    `apologise`: the caller had to wait because the other worker died. `returned`: the caller was handed over to a
    person and is back. `records` holds the call's escalation records in the order of their numbers.
    """

    entries: dict[int, TranscriptEntry]
    apologise: bool
    returned: bool = False
    records: tuple[EscalationRecord, ...] = ()

    @property
    def escalations_sent(self) -> int:
        """How many escalations the model was told were sent; the table may not have the last one yet."""
        return sum(entry.role == "tool" and tells_of_sending(entry.text) for entry in self.entries.values())

    def calls_of(self, tool: str) -> int:
        """How often the model called this tool at the other worker."""
        return sum(entry.role == "tool" and tells_of_call(entry.text, tool) for entry in self.entries.values())
