"""What was said in a call, turn by turn, as it is stored and as an escalation carries it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from shared.text.plain import Line, bounded, plain_all

SHORT_LENGTH = 300  # characters


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]
ShortLine = Annotated[Line, bounded(SHORT_LENGTH)]


class PlainMessage(BaseModel):
    """Every text in it, also in fields that we do not know, is made `plain` first."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return plain_all(given)


class TranscriptEntry(PlainMessage):
    """What somebody said, and when. We write the roles `caller` and `agent`, and refuse no alert over another word.

    Among a call's stored turns are those of the role `tool`, too: what a tool gave, which an alert leaves out.
    """

    role: ShortLine
    text: str
    at: Moment
