"""The built-in tools as the model sees them: `escalate_to_human` and `end_call`.

`escalate_to_human` adds `escalation_status`, so that the agent knows what to tell a waiting caller. The call runs these
tools itself, because they speak, wait and hang up.
"""

from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from shared.agents.tool_names import END_CALL, ESCALATE_TO_HUMAN, ESCALATION_STATUS
from shared.escalations.request import CALL_FAILED, Urgency
from shared.text.plain import ONE_LINE
from worker.tools.errors import ArgumentsRejected
from worker.tools.output import error_output
from worker.tools.schema import checked, schema_of
from worker.tools.tool import read_arguments


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _nothing_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _said_by_the_model(reason: str) -> str:
    # With this exact reason the desk treats the caller as gone. Only the voice function may set it.
    return reason.replace("_", " ") if reason == CALL_FAILED else reason


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class EscalateArguments(_Arguments):
    """What the people on call are told. Validation is lenient, so that a request for help does not fail on its form."""

    reason: Annotated[str, StringConstraints(min_length=1), ONE_LINE, AfterValidator(_said_by_the_model)] = Field(
        description="What the caller needs a person for, in at most ten words, as people see it on a locked phone: "
        "for example 'Locked out of room 214, small child inside'."
    )
    summary: str = Field(
        description="What a person must know to go on without asking again, in two to four sentences: who is calling, "
        "what happened, what you have already told or tried. Only what the caller said; do not guess."
    )
    urgency: Annotated[Urgency, BeforeValidator(_lower)] = Field(
        default="normal",
        description="'high': somebody is in danger or harmed, or will be unless a person reacts within minutes. "
        "'normal': a person should see to it today, as soon as one is free. 'low': it can wait until tomorrow.",
    )
    callback_number: Annotated[str | None, BeforeValidator(_nothing_if_blank)] = Field(
        default=None,
        description="The number to call back, with country code if the caller gave it, for example +15551234567. "
        "Leave it out unless the caller asked for another number than the one they are calling from.",
    )


class EndCallArguments(_Arguments):
    reason: str = Field(default="", description="Why the call ends, in a few words, for the record.")


class EscalationStatusArguments(_Arguments):
    """No arguments, because there is only one request at a time."""


BUILTIN_DEFINITIONS: Final[dict[str, dict[str, Any]]] = {
    ESCALATE_TO_HUMAN: {
        "type": "function",
        "name": ESCALATE_TO_HUMAN,
        "description": (
            "Asks the people on call to help this caller. Use it when the caller asks for a person, when they need "
            "something that you cannot do or do not know, when they are upset and you do not get further, and at once "
            "when somebody may be in danger. Unless it is urgent, make sure first that you know what they need; one "
            "question is enough. People are alerted, they do not join at once: the result says whether the request "
            "reached them, and you must tell the caller just that, without promising a time. Stay in the conversation "
            "afterwards. Use it again only to add something new: it updates the same request."
        ),
        "parameters": schema_of(EscalateArguments),
    },
    END_CALL: {
        "type": "function",
        "name": END_CALL,
        "description": (
            "Hangs up. Use it when the caller says goodbye or has nothing more to ask, never to get rid of a question. "
            "Say nothing before you call it: you are then asked to say goodbye, and the line is closed once the caller "
            "has heard it."
        ),
        "parameters": schema_of(EndCallArguments),
    },
}

ESCALATION_STATUS_DEFINITION: Final[dict[str, Any]] = {
    "type": "function",
    "name": ESCALATION_STATUS,
    "description": (
        "Tells what has become of the request for a person: whether anybody has taken it, who, and how long ago it was "
        "made. Use it when the caller asks whether somebody is coming or how long it takes. Tell the caller what it "
        "says, and nothing beyond that."
    ),
    "parameters": schema_of(EscalationStatusArguments),
}

Arguments = TypeVar("Arguments", bound=BaseModel)


def parse_arguments(model: type[Arguments], arguments: str) -> Arguments | str:
    """The model's JSON text as arguments of a built-in tool, or the error output that says what is wrong."""
    try:
        return checked(model, read_arguments(arguments))
    except ArgumentsRejected as rejected:
        return error_output(f"Nothing was done: {rejected}", rejected.problems)
