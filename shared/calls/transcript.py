"""A call's transcript entries, as the table stores them and as an escalation contains them."""

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
    """A message whose texts, those in unknown fields included, are made `plain` first."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return plain_all(given)


class TranscriptEntry(PlainMessage):
    """What was said, by which role, and when. Bellhop writes the roles `caller` and `agent`; other roles are accepted.

    The table also has entries of the role `tool`, with a tool's output; escalations leave them out.
    """

    role: ShortLine
    text: str
    at: Moment
