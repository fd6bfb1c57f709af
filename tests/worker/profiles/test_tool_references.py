"""Tools as a profile names them."""

from pathlib import Path

import pytest

from worker.agents.front_desk import opening_hours
from worker.profiles.tool_references import resolve


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which modules are imported."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def complaint(reference: object) -> str:
    """The sentence with which a reference is refused."""
    with pytest.raises(ValueError) as error:  # noqa: PT011 - each test compares the whole sentence
        resolve(reference)
    return str(error.value)


def test_a_built_in_tool_is_its_name() -> None:
    """The call carries it out by that."""
    assert resolve("end_call") == "end_call"


def test_any_other_is_imported() -> None:
    """By its module and its name in there."""
    assert resolve("worker.agents.front_desk:opening_hours") is opening_hours


@pytest.mark.parametrize("reference", ["hang_up", "worker.agents.front_desk", ":opening_hours", "worker:", ""])
def test_what_is_no_reference_is_told_what_one_is(reference: str) -> None:
    """A name that is not built in lacks its module."""
    assert complaint(reference).startswith(f"{reference!r} names no tool")
    assert complaint(reference).endswith('allowed: escalate_to_human, end_call, or "module:function"')


def test_a_module_that_lacks_a_module(modules: Path) -> None:
    """The missing one is named, not the one that needs it alone."""
    (modules / "bellhop_needy.py").write_text("import bellhop_not_there")
    assert complaint("bellhop_needy:x") == "bellhop_needy cannot be imported: it needs the module 'bellhop_not_there'"


def test_a_module_that_fails(modules: Path) -> None:
    """Such as one with a tool that cannot be one."""
    (modules / "bellhop_broken.py").write_text('from worker.tools import tool\n@tool\ndef add(a):\n    """Adds."""\n')
    assert complaint("bellhop_broken:add").startswith(
        "bellhop_broken cannot be imported: ToolDefinitionError: tool 'add', parameter 'a': it has no type"
    )


def test_a_function_that_is_no_tool() -> None:
    """The decorator was forgotten, most likely."""
    assert complaint("json:dumps").endswith("is not a tool; put @tool above the function")


def test_a_number_is_no_tool() -> None:
    """TOML would allow it."""
    assert complaint(7) == "7 is not a tool; allowed are a @tool function and a LangChain tool"
