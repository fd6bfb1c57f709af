"""What came of a function call, in words: for a session that knows no such call, and for the worker that reads it."""

from typing import Final

from shared.agents.tool_names import ESCALATE_TO_HUMAN

SENT: Final = "sent"  # the status in the output of a request for a person that the queue has

_SENT_AFTER_ALL: Final = "The request for a person that could not be sent has been sent now:"
_GAVE: Final = ". It gave: "
_TOLD_CHARACTERS: Final = 2_000


def request(name: str, arguments: str) -> str:
    """A call as its note tells of it, with no more of its arguments than a session can do with."""
    return f"{name}({arguments[:_TOLD_CHARACTERS]})"


def outcome(request: str, output: str) -> str:
    return f"You called {request}{_GAVE}{output[:_TOLD_CHARACTERS]}"


def sent_after_all(output: str) -> str:
    """Of a request for a person, once a later try has sent it."""
    return f"{_SENT_AFTER_ALL} {output}"


def tells_of_call(note: str, tool: str) -> bool:
    return note.startswith(f"You called {tool}(")


def tells_of_sending(note: str) -> bool:
    """Whether the model was told here that an escalation is on its way; an update to one is no further one."""
    asked = note.startswith(_SENT_AFTER_ALL) or tells_of_call(note, ESCALATE_TO_HUMAN)
    # The last words, since the arguments may hold any others.
    return asked and f'"status": "{SENT}"' in note.rpartition(_GAVE)[2]
