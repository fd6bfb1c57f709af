"""The escalation: the queue message that asks for a person for a caller. Version 1."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator

from shared.calls.transcript import Moment, PlainMessage, ShortLine, TranscriptEntry
from shared.text.plain import ONE_LINE, Line, bounded, shortened

Urgency = Literal["low", "normal", "high"]

# The reason of an escalation that the agent did not send: the call dropped, and the caller heard an apology.
CALL_FAILED = "call_failed"

# How many of the last transcript entries a message has. 20 are enough to see what the call was about, and even with
# long answers stay far below the 256 KiB that SQS takes.
TRANSCRIPT_TURNS = 20

# In characters. At these limits and 4 bytes each, a message has 200 KB; a table's item may have 400 KB. Longer text is
# cut and not refused, so that a long text never costs a caller their escalation.
REASON_LENGTH = 300
SUMMARY_LENGTH = 4000
TURN_LENGTH = 2000


class NotAnEscalation(ValueError):
    """A message is not an escalation. Names the wrong fields, and never their values."""


class Escalation(PlainMessage):
    """A caller who needs a person. Unknown fields are kept and sent on.

    `escalation_id` is the idempotency key: nobody is alerted twice for one. When the agent learns more during the call,
    it sends the same escalation again with a higher `revision`.
    """

    version: Literal[1] = 1
    escalation_id: Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
    call_sid: Line
    caller: ShortLine
    called: ShortLine
    reason: Annotated[Line, bounded(REASON_LENGTH)]
    summary: Annotated[str, bounded(SUMMARY_LENGTH)]
    urgency: Urgency
    transcript: list[TranscriptEntry]
    language: ShortLine
    created_at: Moment
    callback_number: ShortLine | None = None
    revision: int = Field(default=1, ge=1)

    @field_validator("transcript", mode="after")
    @classmethod
    def _last_entries(cls, entries: list[TranscriptEntry]) -> list[TranscriptEntry]:
        last = entries[-TRANSCRIPT_TURNS:]
        return [entry.model_copy(update={"text": shortened(entry.text, TURN_LENGTH)}) for entry in last]

    def to_json(self) -> str:
        """The message's body."""
        return self.model_dump_json()

    def as_next(self) -> Self | None:
        """This request under the id of the call's next escalation; None if the id has no number to count on from."""
        number = self.escalation_id.removeprefix(f"{self.call_sid}-")
        if not number.isdecimal():
            return None
        return self.model_copy(update={"escalation_id": escalation_id_for(self.call_sid, int(number) + 1)})

    @classmethod
    def from_json(cls, body: str | bytes) -> Self:
        """The escalation in a message's body.

        Raises:
            NotAnEscalation: when the body is anything else.
        """
        try:
            # Not with pydantic's own JSON reader, which refuses a lone surrogate.
            return cls.model_validate(json.loads(body))
        except ValidationError as error:
            complaints = [f"{'.'.join(map(str, d['loc'])) or 'body'}: {d['msg']}" for d in error.errors()]
        except RecursionError:
            complaints = ["body: is nested too deeply"]
        except ValueError:
            complaints = ["body: is not JSON"]
        # Raised outside of `except`, so that pydantic's error, which quotes values, is not attached as the context.
        raise NotAnEscalation("; ".join(complaints))


def escalation_id_for(call_sid: str, number: int = 1) -> str:
    """The id of a call's n-th escalation.

    It follows from the call, so that the worker, and the voice function after the worker died, send one escalation.
    """
    return f"{call_sid}-{number}"
