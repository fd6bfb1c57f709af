"""An agent with its tools: validation, and what the session gets."""

import json
from typing import Any

import pytest
from openai.types.realtime import RealtimeFunctionTool, RealtimeTruncation
from pydantic import TypeAdapter, ValidationError

from worker.agents import Agent
from worker.tools import CallContext, tool


@tool
def opening_hours() -> str:
    """Tells when the shop is open."""
    return "always"


def agent(**settings: Any) -> Agent:
    return Agent.model_validate({"name": "test", "instructions": "Be kind."} | settings)


def complaint(**settings: Any) -> str:
    """The single validation error of an agent."""
    with pytest.raises(ValidationError) as error:
        agent(**settings)
    (detail,) = error.value.errors()
    return detail["msg"].removeprefix("Value error, ")


def test_tools_are_ready_to_run() -> None:
    """Built-in tools are given by name, others as objects; the model sees them in the file's order."""
    ready = agent(tools=["end_call", opening_hours, "escalate_to_human"])
    assert ready.builtin == {"end_call", "escalate_to_human", "escalation_status"}
    assert list(ready.toolbox) == [opening_hours]
    definitions = ready.definitions()
    also = ["escalation_status"]  # comes with the tool that asks for a person
    assert [definition["name"] for definition in definitions] == [
        "end_call",
        "opening_hours",
        "escalate_to_human",
        *also,
    ]
    for definition in definitions:
        RealtimeFunctionTool.model_validate(definition)


def test_escalate_to_human_adds_escalation_status() -> None:
    """`escalate_to_human` adds `escalation_status`; otherwise it is absent."""
    assert "escalation_status" in agent(tools=["escalate_to_human"]).builtin
    alone = agent(tools=["end_call"])
    assert alone.builtin == {"end_call"}
    assert [definition["name"] for definition in alone.definitions()] == ["end_call"]


async def test_a_wrong_tool_gets_the_list_of_tools() -> None:
    """The list includes the tools that the call runs itself."""
    caller = CallContext(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")
    output = await agent(tools=["end_call", opening_hours]).toolbox.run("opening_times", "{}", caller)
    assert json.loads(output) == {"error": "There is no tool of this name. The tools are: opening_hours, end_call."}


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ([opening_hours, opening_hours], "there are two tools called 'opening_hours'; each needs a name of its own"),
        (["end_call", "end_call"], "there are two tools called 'end_call'; each needs a name of its own"),
        (
            [tool(name="end_call", description="Mine.")(lambda: None), "end_call"],
            "there are two tools called 'end_call'; each needs a name of its own",
        ),
        (
            [tool(name="escalation_status", description="Mine.")(lambda: None), "escalate_to_human"],
            "there are two tools called 'escalation_status'; each needs a name of its own",
        ),
        (
            [tool(name="required", description="Mine.")(lambda: None)],
            "a tool cannot be called 'required', which means something else as tool_choice",
        ),
        (["shop:opening_hours"], "'shop:opening_hours' is in a file, and there is no folder to find it in"),
        ([7], "7 is not a tool; allowed are a @tool function and a LangChain tool"),
    ],
)
def test_invalid_tools(tools: list[Any], reason: str) -> None:
    """Tool names are unique, because the model and `tool_choice` refer to tools by name."""
    assert complaint(tools=tools) == reason


@pytest.mark.parametrize("choice", ["auto", "none", "required", "required_once", "opening_hours", "end_call"])
def test_tool_choices(choice: str) -> None:
    """`tool_choice` is a mode or one of the agent's tools."""
    assert agent(tools=[opening_hours, "end_call"], tool_choice=choice).tool_choice == choice


@pytest.mark.parametrize(
    ("tools", "choice", "reason"),
    [
        (
            [opening_hours],
            "opening_hour",
            "is 'opening_hour' (did you mean 'opening_hours'?); allowed: auto, none, required, required_once, "
            "or one of this agent's tools: opening_hours",
        ),
        (
            [],
            "end_call",
            "is 'end_call'; allowed: auto, none, required, required_once, or one of this agent's tools: it has none",
        ),
        ([], "required", "is 'required', but the agent has no tools to call; allowed without tools: auto, none"),
        (
            [],
            "required_once",
            "is 'required_once', but the agent has no tools to call; allowed without tools: auto, none",
        ),
    ],
)
def test_invalid_tool_choices(tools: list[str], choice: str, reason: str) -> None:
    """A choice of a tool that the agent lacks is refused."""
    assert complaint(tools=tools, tool_choice=choice) == reason


def test_truncation() -> None:
    """A word, or the share of the conversation to keep, in the API's format."""
    assert agent().truncation_setting() == "auto"
    assert agent(truncation="disabled").truncation_setting() == "disabled"
    kept = agent(truncation={"retention_ratio": 0.8}).truncation_setting()
    assert kept == {"type": "retention_ratio", "retention_ratio": 0.8}
    limited = agent(truncation={"retention_ratio": 0.8, "post_instructions": 8_000}).truncation_setting()
    assert limited == {
        "type": "retention_ratio",
        "retention_ratio": 0.8,
        "token_limits": {"post_instructions": 8_000},
    }
    for setting in (kept, limited):
        parsed: Any = TypeAdapter(RealtimeTruncation).validate_python(setting)
        assert parsed.model_dump(exclude_none=True) == setting
