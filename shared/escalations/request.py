"""The escalation: what one part writes into the queue so that another can fetch a person. Version 1 of the message."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator

from shared.calls.transcript import Moment, PlainMessage, ShortLine, TranscriptEntry
from shared.text.plain import ONE_LINE, Line, bounded, shortened

Urgency = Literal["low", "normal", "high"]

# The reason of an escalation that is not the agent's: the call broke off, and the caller was told goodbye.
CALL_FAILED = "call_failed"

# "The last turns" of the message. Twenty are enough to see what the call was about, and even with long answers stay
# far below the 256 KiB that SQS takes.
TRANSCRIPT_TURNS = 20

# In characters. With all of them used up, four bytes each, a message has 200 KB, and a table's item may have 400. What
# is longer is cut and not refused: a caller in need must not fail on a form.
REASON_LENGTH = 300
SUMMARY_LENGTH = 4000
TURN_LENGTH = 2000


class NotAnEscalation(ValueError):
    """A message is not an escalation. Says which fields are wrong, and never what they hold."""


class Escalation(PlainMessage):
    """A caller who needs a person. Fields that we do not know are kept and sent on.

    `escalation_id` is the key to idempotency: nobody is alerted twice for one. When the agent learns more during the
    call it sends the same escalation again with a higher `revision`.
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
    def _last_turns(cls, turns: list[TranscriptEntry]) -> list[TranscriptEntry]:
        return [
            turn.model_copy(update={"text": shortened(turn.text, TURN_LENGTH)}) for turn in turns[-TRANSCRIPT_TURNS:]
        ]

    def to_json(self) -> str:
        """The message's body."""
        return self.model_dump_json()

    def as_next(self) -> Self | None:
        """The same wish as the call's next escalation; None if the id does not tell which one this is."""
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
            # Not by pydantic's own reader of JSON, which refuses a message over half of a surrogate pair.
            return cls.model_validate(json.loads(body))
        except ValidationError as error:
            complaints = [f"{'.'.join(map(str, d['loc'])) or 'body'}: {d['msg']}" for d in error.errors()]
        except RecursionError:
            complaints = ["body: is nested too deeply"]
        except ValueError:
            complaints = ["body: is not JSON"]
        # Raised out here, so that pydantic's error does not stay attached as the context.
        raise NotAnEscalation("; ".join(complaints))


def escalation_id_for(call_sid: str, number: int = 1) -> str:
    """The id of a call's n-th escalation, the same whoever works it out.

    The worker and the voice function (when the worker died) so arrive at one escalation, and people get one alert.
    """
    return f"{call_sid}-{number}"
