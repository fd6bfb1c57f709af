"""`@tool`: the tool it makes of a function, and how that calls the function."""

import contextvars
import json
import threading
from typing import Any

import pytest

from worker.tools import CallContext, ToolDefinitionError, tool

CALL = CallContext(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")

spoken = contextvars.ContextVar("spoken", default="nothing")


@tool
async def double(number: int) -> int:
    """Doubles a number.

    Use it for sums.
    """
    return number * 2


def test_the_docstring_is_the_description() -> None:
    """The definition has the function's name, docstring and annotations."""
    assert double.definition() == {
        "type": "function",
        "name": "double",
        "description": "Doubles a number.\n\nUse it for sums.",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "integer"}},
            "required": ["number"],
            "additionalProperties": False,
        },
    }


async def test_a_tool_is_still_its_function() -> None:
    """A tool can be called as its function, for tests and other code."""
    assert await double(21) == 42
    assert double.__doc__ == "Doubles a number.\n\nUse it for sums."


def test_name_description_and_timeout_can_be_given() -> None:
    """The decorator's settings override the function's own name and docstring."""

    @tool(name="look-up", description="Looks something up.", timeout=2.5)
    def look_up(text: str) -> str:
        return text

    assert (look_up.name, look_up.description, look_up.timeout) == ("look-up", "Looks something up.", 2.5)


async def test_an_async_function_runs_on_the_event_loop() -> None:
    """So it may use clients that belong to the loop."""

    @tool
    async def where() -> str:
        """Tells the thread."""
        return threading.current_thread().name

    assert await where.run("{}", CALL) == threading.current_thread().name


async def test_a_sync_function_runs_in_a_thread_of_the_tools() -> None:
    """So it may block; it sees the context variables of its caller."""

    @tool
    def where() -> list[str]:
        """Tells the thread and a context variable."""
        return [threading.current_thread().name, spoken.get()]

    spoken.set("something")
    thread, seen = json.loads(await where.run("{}", CALL))
    assert thread.startswith("tool")
    assert seen == "something"


async def test_a_sync_function_may_return_something_to_await() -> None:
    """For example a decorated async function that looks like a plain one."""

    async def later() -> str:
        return "later"

    @tool
    def hidden() -> Any:
        """Returns a coroutine."""
        return later()

    assert await hidden.run("{}", CALL) == "later"


async def test_a_method_can_be_a_tool() -> None:
    """For example a method of an object that has a client."""

    class Desk:
        floor = 3

        def which_floor(self, call: CallContext) -> str:
            """Tells the floor."""
            return f"{self.floor} for {call.caller}"

    assert await tool(Desk().which_floor).run("", CALL) == "3 for +12025550117"


def test_a_function_without_a_docstring_is_refused() -> None:
    """The model would not know when to use it."""

    def silent() -> None: ...

    with pytest.raises(ToolDefinitionError, match="tool 'silent': it has no docstring"):
        tool(silent)


def test_what_is_no_function_is_refused() -> None:
    """A class, or a function that yields instead of returning."""

    def many() -> Any:
        """Yields."""
        yield 1

    for candidate in (many, dict):
        with pytest.raises(ToolDefinitionError, match="allowed is a function that returns its result"):
            tool(candidate)


@pytest.mark.parametrize("name", ["two words", "x" * 65, "prénom"])
def test_a_name_that_a_model_cannot_call_is_refused(name: str) -> None:
    """The API refuses the whole session for such a name."""
    with pytest.raises(ToolDefinitionError, match="allowed are 1 to 64 letters, digits, '_' and '-'"):
        tool(name=name, description="Something.")(lambda: None)


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_time_limit_must_be_positive_and_finite(timeout: float) -> None:
    """Without a limit, a slow tool would leave the caller in silence."""
    with pytest.raises(ToolDefinitionError, match="allowed are seconds above 0"):
        tool(name="slow", description="Something.", timeout=timeout)(lambda: None)
