"""How an agent's file names its tools: a built-in one by its name, any other as `file:function`."""

from dataclasses import dataclass
from typing import Final, Self

from shared.agents.problems import did_you_mean

ESCALATE_TO_HUMAN: Final = "escalate_to_human"
ESCALATION_STATUS: Final = "escalation_status"
"""Comes with `escalate_to_human` and is not listed."""
END_CALL: Final = "end_call"

BUILT_IN_TOOLS: Final = (ESCALATE_TO_HUMAN, END_CALL)
"""The built-in tools that a file may list."""

_ALLOWED: Final = (
    f'{", ".join(BUILT_IN_TOOLS)}, or "file:function" for a function in a file beside this one: '
    '"front_desk:opening_hours" is in front_desk.py, "tools.calendar:book" in tools/calendar.py'
)


@dataclass(frozen=True, slots=True)
class ToolReference:
    """A function in a file beside the agent's: `tools.calendar:book` is `book` in tools/calendar.py."""

    module: str
    function: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` that says what is allowed."""
        module, _, function = text.partition(":")
        if not _is_reference(text):
            raise ValueError(
                f"{text!r} names no tool{did_you_mean(text, _meant(module, function))}; allowed: {_ALLOWED}"
            )
        return cls(module, function)

    @property
    def file(self) -> str:
        """The file's path from the folder of the agent's file."""
        return f"{self.module.replace('.', '/')}.py"


def checked_tool_name(text: str) -> str:
    """The name of a built-in tool, or a well-formed reference; else a `ValueError` that says what is allowed."""
    if text not in BUILT_IN_TOOLS:
        ToolReference.parse(text)
    return text


def _is_reference(text: str) -> bool:
    module, _, function = text.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), function)) and not module.endswith(".py")


def _meant(module: str, function: str) -> tuple[str, ...]:
    """What may have been meant: a built-in tool, or the reference for what is written as a path."""
    dotted = module.removeprefix("./").removesuffix(".py").replace("/", ".")
    reference = f"{dotted}:{function}"
    return (reference,) if _is_reference(reference) else BUILT_IN_TOOLS
