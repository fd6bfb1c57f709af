"""`tool_choice` overrides a brain's plan."""

from collections.abc import Sequence
from typing import Any

import pytest

from local.model.brain import WITHOUT_TOOLS, CallTool, Hold, Output, Say, Turn, obey
from local.model.conversation import Item
from tests.local.model.client import HOURS

BOOK = HOURS | {"name": "book"}
SAY, LOOK, ORDER, HOLD = Say("Hello."), CallTool("opening_hours", {"day": "tue"}), CallTool("book"), Hold()


def _turn(
    choice: str | dict[str, Any], tools: Sequence[dict[str, Any]] = (HOURS, BOOK), items: Sequence[Item] = ()
) -> Turn:
    return Turn("", "", "", list(tools), choice, items, "client")


@pytest.mark.parametrize(
    ("choice", "plan", "obeyed"),
    [
        ("auto", [SAY, LOOK], [SAY, LOOK]),
        ("auto", [], []),
        ("none", [SAY, LOOK], [SAY]),
        ("none", [LOOK], [Say(WITHOUT_TOOLS)]),
        ("none", [], []),
        ("required", [SAY, LOOK, ORDER], [LOOK, ORDER]),
        ("required", [HOLD, SAY], [HOLD, CallTool("opening_hours", {"day": "mon"})]),
        ("required", [], [CallTool("opening_hours", {"day": "mon"})]),
        ({"type": "function", "name": "book"}, [SAY, LOOK, ORDER], [ORDER]),
        ({"type": "function", "name": "book"}, [LOOK], [CallTool("book", {"day": "mon"})]),
    ],
)
def test_the_plan_is_cut_to_what_the_choice_allows(
    choice: str | dict[str, Any], plan: list[Output], obeyed: list[Output]
) -> None:
    """If a call is forced, only tool calls are left of the plan; with "none", everything but tool calls."""
    assert obey(plan, _turn(choice)) == obeyed


def test_without_tools_there_are_no_calls() -> None:
    """Even if `tool_choice` allows them."""
    assert obey([SAY, LOOK], _turn("auto", tools=())) == [SAY]


def test_a_turn_knows_which_tools_may_be_called() -> None:
    """All, none, or the one."""
    assert _turn("auto").callable_tools == ["opening_hours", "book"]
    assert _turn("none").callable_tools == []
    assert _turn({"type": "function", "name": "book"}).callable_tools == ["book"]


def test_a_turn_knows_the_output_that_waits_for_an_answer() -> None:
    """The newest one with its call, until anything is said."""
    call = Item("function_call", name="book", call_id="call_1")
    output = Item("function_call_output", call_id="call_1", output="done")
    said = Item("message", role="assistant", content="output_audio")
    assert _turn("auto", items=[said, call, output]).last_output == (call, output)
    assert _turn("auto", items=[call, output, said]).last_output is None
    assert _turn("auto").last_output is None
