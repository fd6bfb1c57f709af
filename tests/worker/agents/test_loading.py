"""Agents loaded with their tools."""

import subprocess
import sys
from pathlib import Path

import pytest

from local.stack.process import REPOSITORY
from local.stack.simulation import HOTEL
from shared.agents import AgentError
from worker.agents import load_agents

TOOLS = '''
from worker.tools import tool

@tool
async def opening_hours() -> str:
    """Tells when the shop is open."""
    return "always"

@tool(name="call_back")
async def leave_word() -> str:
    """Takes a note."""
    return "noted"

def forgotten(): ...
'''


def problems(folder: Path) -> list[str]:
    """The errors of the agents in a folder, without the folder's name."""
    with pytest.raises(AgentError) as error:
        load_agents(folder)
    return [line.strip().replace(f"{folder}/", "") for line in str(error.value).splitlines()[1:]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a default agent and a file of tools."""
    (tmp_path / "shop.py").write_text(TOOLS)
    (tmp_path / "default.toml").write_text('instructions = "Be kind."\ntools = ["end_call", "shop:opening_hours"]')
    return tmp_path


def test_tools_are_ready_to_run(folder: Path) -> None:
    """Two agents that name one tool share it; `tool_choice` is the name by which the model calls it."""
    (folder / "sales.toml").write_text(
        'instructions = "Sell."\ntools = ["shop:leave_word", "shop:opening_hours"]\ntool_choice = "call_back"\n'
        'numbers = ["+12025550143"]'
    )
    agents = load_agents(folder)
    sales = agents.for_number("+12025550143")
    assert [tool.name for tool in sales.toolbox] == ["call_back", "opening_hours"]
    assert agents.default.builtin == {"end_call"}
    assert list(agents.default.toolbox) == list(sales.toolbox)[1:]


def test_every_problem_of_every_file_is_reported_at_once(folder: Path) -> None:
    """One error lists the problems of all files, including those of tools."""
    (folder / "broken.py").write_text("raise RuntimeError('no key')")
    (folder / "one.toml").write_text("""
        instructions = "Be kind."
        voice = "merin"
        tools = ["shop:opening_hour", "../shop:leave_word", "shops:x", "broken:x", "shop:forgotten", "end_call"]
    """)
    (folder / "twice.toml").write_text("""
        instructions = "Be kind."
        tools = ["shop:leave_word", "shop:leave_word"]
    """)
    (folder / "three.toml").write_text("""
        instructions = "Be kind."
        tools = ["shop:leave_word"]
        tool_choice = "leave_word"
    """)
    voice, *tools, choice, twice = problems(folder)
    assert voice.startswith("one.toml: voice: there is no voice 'merin' (did you mean 'marin'?)")
    starts = (
        "one.toml: tools[0]: shop.py has no 'opening_hour' (did you mean 'opening_hours'?); its tools are: ",
        "one.toml: tools[1]: '../shop:leave_word' names no tool; allowed: ",
        "one.toml: tools[2]: there is no shops.py beside the agent's file (did you mean 'shop'?); ",
        "one.toml: tools[3]: broken.py cannot be imported: RuntimeError: no key (broken.py:1)",
        "one.toml: tools[4]: <function forgotten at ",
    )
    assert len(tools) == len(starts)
    for told, start in zip(tools, starts, strict=True):
        assert told.startswith(start)
    assert tools[-1].endswith("is not a tool; put @tool above the function")
    assert choice == (
        "three.toml: tool_choice: is 'leave_word'; allowed: auto, none, required, required_once, "
        "or one of this agent's tools: call_back"
    )
    assert twice == "twice.toml: tools: there are two tools called 'call_back'; each needs a name of its own"


def test_your_agents_load() -> None:
    """`agents/` can be loaded. Only this test depends on its content; it loads it in a separate process."""
    code = """
import sys
from pathlib import Path
from shared.agents import AgentError
from worker.agents import load_agents
try:
    load_agents(Path("agents"))
except AgentError as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        pytest.fail(f"{done.stdout}{done.stderr}", pytrace=False)


def test_the_demos_agents_load() -> None:
    """The hotel's agents can be loaded."""
    agents = load_agents(HOTEL)
    assert [tool.name for tool in agents.default.toolbox] == ["opening_hours", "room_availability"]
    reservations = agents.for_number("+12025550143")
    assert (reservations.name, reservations.tool_choice) == ("reservations", "required_once")
