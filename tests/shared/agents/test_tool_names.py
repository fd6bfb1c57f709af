"""The names of tools in an agent file."""

import pytest

from shared.agents.tool_names import BUILT_IN_TOOLS, ToolReference, checked_tool_name


@pytest.mark.parametrize("name", [*BUILT_IN_TOOLS, "front_desk:opening_hours", "tools.calendar:book", "json:dumps"])
def test_names(name: str) -> None:
    """Built-in tools, and functions in files: any identifier may be a file's name."""
    assert checked_tool_name(name) == name


def test_the_file_of_a_reference() -> None:
    """Relative to the folder of the agent's file."""
    reference = ToolReference.parse("tools.calendar:book")
    assert (reference.module, reference.function, reference.file) == ("tools.calendar", "book", "tools/calendar.py")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("hang_up", ""),
        ("end_cal", "end_call"),
        ("", ""),
        ("front_desk", ""),
        ("front_desk:", ""),
        (":opening_hours", ""),
        ("front-desk:opening_hours", ""),
        ("front_desk:opening_hours:now", ""),
        ("front_desk: opening_hours", ""),
        ("front_desk.py:opening_hours", "front_desk:opening_hours"),
        ("./front_desk.py:opening_hours", "front_desk:opening_hours"),
        ("tools/calendar:book", "tools.calendar:book"),
        ("../other/desk:book", ""),
        ("..other:book", ""),
        (".front_desk:book", ""),
        ("/etc/desk.py:book", ""),
    ],
)
def test_invalid_names(name: str, meant: str) -> None:
    """The message says what is allowed and what was probably meant. No reference leads out of the folder."""
    with pytest.raises(ValueError, match="names no tool") as error:
        checked_tool_name(name)
    hint = f" (did you mean {meant!r}?)" if meant else ""
    assert str(error.value).startswith(f"{name!r} names no tool{hint}; allowed: escalate_to_human, end_call, or ")
