"""The tools of one agent, by name."""

import json

import pytest

from worker.tools import CallContext, Toolbox, ToolDefinitionError, as_tool, tool

CALL = CallContext(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")


@tool
async def weather() -> str:
    """Tells the weather."""
    return "fair"


@tool
async def tides() -> str:
    """Tells the tides."""
    return "high"


async def test_a_tool_runs_by_its_name() -> None:
    """Each name runs its own tool."""
    toolbox = Toolbox([weather, tides])
    assert [await toolbox.run(name, "", CALL) for name in ("tides", "weather")] == ["high", "fair"]
    assert "tides" in toolbox
    assert "waves" not in toolbox
    assert len(toolbox) == 2


def test_definitions_are_in_order() -> None:
    """Definitions are in the format of `session.tools`."""
    assert Toolbox([tides, weather]).definitions() == [tides.definition(), weather.definition()]


async def test_an_unknown_name_gets_the_list_of_names() -> None:
    """The output lists all tools, built-in ones too, which the call itself runs."""
    output = await Toolbox([weather], built_in=["end_call"]).run("wether", "{}", CALL)
    assert json.loads(output) == {"error": "There is no tool of this name. The tools are: weather, end_call."}
    assert "The tools are: none." in await Toolbox().run("wether", "{}", CALL)


@pytest.mark.parametrize("built_in", [(), ("weather",)])
def test_two_tools_of_one_name_are_refused(built_in: tuple[str, ...]) -> None:
    """Two tools cannot have one name, because the model calls tools by name."""
    with pytest.raises(ToolDefinitionError, match="tool 'weather': another tool has this name"):
        Toolbox([weather] if built_in else [weather, weather], built_in=built_in)


def test_a_plain_function_is_refused() -> None:
    """The most likely mistake is a forgotten decorator."""

    def plain() -> None: ...

    with pytest.raises(ToolDefinitionError, match="is not a tool; put @tool above the function"):
        as_tool(plain)
    with pytest.raises(ToolDefinitionError, match="allowed are a @tool function and a LangChain tool"):
        as_tool(7)


def test_a_tool_is_taken_as_it_is() -> None:
    """A tool is not wrapped twice."""
    assert as_tool(weather) is weather
