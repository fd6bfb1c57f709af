"""The names of tools in an agent file: a built-in tool by its name, any other as `file:function`."""

from dataclasses import dataclass
from typing import Final, Self

from shared.agents.problems import did_you_mean

ESCALATE_TO_HUMAN: Final = "escalate_to_human"
ESCALATION_STATUS: Final = "escalation_status"
"""Added together with `escalate_to_human`; a file does not list it."""
END_CALL: Final = "end_call"

BUILT_IN_TOOLS: Final = (ESCALATE_TO_HUMAN, END_CALL)
"""The built-in tools that a file may list."""

_ALLOWED: Final = (
    f'{", ".join(BUILT_IN_TOOLS)}, or "file:function" for a function in a file beside this one: '
    '"front_desk:opening_hours" is in front_desk.py, "tools.calendar:book" in tools/calendar.py'
)


@dataclass(frozen=True, slots=True)
class ToolReference:
    """A function in a Python file in the agent file's folder: `tools.calendar:book` is `book` in tools/calendar.py."""

    module: str
    function: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reference in a text; raises `ValueError`, which says what is allowed."""
        module, _, function = text.partition(":")
        if not _is_reference(text):
            raise ValueError(
                f"{text!r} names no tool{did_you_mean(text, _meant(module, function))}; allowed: {_ALLOWED}"
            )
        return cls(module, function)

    @property
    def file(self) -> str:
        """The Python file's path, relative to the agent file's folder."""
        return f"{self.module.replace('.', '/')}.py"


def checked_tool_name(text: str) -> str:
    """The text, if it names a built-in tool or is a valid reference; otherwise raises `ValueError`."""
    if text not in BUILT_IN_TOOLS:
        ToolReference.parse(text)
    return text


def _is_reference(text: str) -> bool:
    module, _, function = text.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), function)) and not module.endswith(".py")


def _meant(module: str, function: str) -> tuple[str, ...]:
    """Suggestions for a wrong name: the reference for a file path, or else the built-in tools."""
    dotted = module.removeprefix("./").removesuffix(".py").replace("/", ".")
    reference = f"{dotted}:{function}"
    return (reference,) if _is_reference(reference) else BUILT_IN_TOOLS
