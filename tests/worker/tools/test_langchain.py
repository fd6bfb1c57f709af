"""Tools made with `langchain-core`."""

import json
import subprocess
import sys
import threading
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, ToolException
from langchain_core.tools import Tool as OneStringTool
from langchain_core.tools import tool as langchain_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, model_validator

from worker.tools import CallContext, ToolDefinitionError, as_tool

CALL = CallContext(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")


class Address(BaseModel):
    street: str
    number: int = Field(1, ge=1)


@langchain_tool
async def deliver(
    to: Address, parcels: Annotated[int, "how many"], by: Annotated[str, InjectedToolArg] = "ship"
) -> str:
    """Sends parcels."""
    return f"{parcels} to {to.street} {to.number} by {by}"


class Span(BaseModel):
    first: int
    last: int

    @model_validator(mode="after")
    def _in_order(self) -> "Span":
        if self.first > self.last:
            raise ValueError("the first must not be above the last")
        return self


class Where(BaseTool):
    """Has no async implementation: LangChain would run it in the event loop's default thread pool."""

    name: str = "where"
    description: str = "Tells the thread."

    def _run(self) -> str:
        return threading.current_thread().name


class Refusing(BaseTool):
    """Raises `ToolException`, as LangChain's tools do."""

    name: str = "refusing"
    description: str = "Refuses."

    def _run(self, text: str) -> str:
        raise NotImplementedError

    async def _arun(self, text: str) -> str:
        raise ToolException(f"I will not {text}.")


async def run(candidate: Any, arguments: dict[str, Any]) -> str:
    return await as_tool(candidate).run(json.dumps(arguments), CALL)


async def test_a_tool_is_taken_as_it_is() -> None:
    """Name, description and `ainvoke` are those of the LangChain tool."""
    tool = as_tool(deliver)
    assert (tool.name, tool.description) == ("deliver", "Sends parcels.")
    assert await run(deliver, {"to": {"street": "Quay Street"}, "parcels": 2}) == "2 to Quay Street 1 by ship"


def test_the_schema_is_whole() -> None:
    """It has `required` and `$defs` but no injected arguments, and is the one that LangChain itself gives OpenAI."""
    parameters = as_tool(deliver).definition()["parameters"]
    Draft202012Validator.check_schema(parameters)
    assert parameters["required"] == ["to", "parcels"]
    assert list(parameters["properties"]) == ["to", "parcels"]
    assert set(parameters["$defs"]) == {"Address"}
    validator = Draft202012Validator(parameters)
    assert validator.is_valid({"to": {"street": "Quay Street"}, "parcels": 1})
    assert not validator.is_valid({"to": {}, "parcels": 1})
    told = convert_to_openai_tool(deliver)["function"]
    assert told["parameters"]["required"] == parameters["required"]
    assert told["description"] == as_tool(deliver).description


async def test_each_wrong_argument_is_reported() -> None:
    """The output names the problem of each argument, as for other tools."""
    output = json.loads(await run(deliver, {"to": {"number": 0}}))
    assert output["arguments"] == {"parcels": "is required, and is missing"}
    output = json.loads(await run(deliver, {"to": {"number": 0}, "parcels": "x"}))
    assert output["error"] == "deliver did not run: these arguments are wrong"
    assert set(output["arguments"]) == {"to.street", "to.number", "parcels"}


async def test_a_tool_without_a_schema_of_its_own() -> None:
    """LangChain takes its parameters from the function, and does not validate them."""
    output = json.loads(await run(Refusing(), {"text": 3}))
    assert output["arguments"] == {"text": "Input should be a valid string"}


async def test_a_rule_between_arguments_is_reported_too() -> None:
    """LangChain validates such rules only when the tool is invoked."""

    @langchain_tool(args_schema=Span)
    async def span(first: int, last: int) -> int:
        """Measures."""
        return last - first

    output = json.loads(await run(span, {"first": 3, "last": 1}))
    assert output["arguments"] == {"arguments": "the first must not be above the last"}
    assert await run(span, {"first": 1, "last": 3}) == "2"


async def test_a_json_schema_in_place_of_a_model() -> None:
    """LangChain does not validate a JSON Schema, so `LangChainTool` checks the required arguments."""
    schema = {
        "title": "add",
        "description": "not the tool's",
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
    }
    add = StructuredTool(name="add", description="Adds one.", args_schema=schema, func=lambda a: a + 1)
    assert as_tool(add).parameters == {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    assert await run(add, {"a": 1}) == "2"
    assert json.loads(await run(add, {}))["arguments"] == {"a": "is required, and is missing"}


async def test_a_tool_of_one_string() -> None:
    """LangChain's oldest kind of tool, which has its schema only in `args`."""
    shout = OneStringTool(name="shout", description="Shouts.", func=str.upper)
    assert as_tool(shout).parameters == {
        "type": "object",
        "properties": {"tool_input": {"type": "string"}},
        "required": ["tool_input"],
    }
    assert await run(shout, {"tool_input": "hello"}) == "HELLO"


async def test_a_tool_that_blocks_runs_in_a_thread_of_the_tools() -> None:
    """LangChain's default `ainvoke` would use the event loop's default thread pool."""
    blocking = StructuredTool.from_function(lambda: threading.current_thread().name, name="b", description="Blocks.")
    assert (await run(Where(), {})).startswith("tool")
    assert (await run(blocking, {})).startswith("tool")


async def test_a_tools_own_message_reaches_the_model() -> None:
    """The message of a `ToolException` is the output for the model."""
    assert json.loads(await run(Refusing(), {"text": "sing"})) == {"error": "I will not sing."}


async def test_content_and_artifact() -> None:
    """The output has the content, without the artifact."""

    @langchain_tool(response_format="content_and_artifact")
    async def draw() -> tuple[str, bytes]:
        """Draws."""
        return "a boat", b"\x89PNG"

    assert await run(draw, {}) == "a boat"


def test_a_time_limit_can_be_given() -> None:
    """LangChain's tools define no time limit."""
    assert as_tool(deliver, timeout=25).timeout == 25


async def test_any_object_with_the_attributes_works() -> None:
    """Any object with the same attributes works, without LangChain."""

    class Lookalike:
        name = "lookalike"
        description = "Looks alike."
        args_schema: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "string"}}}  # noqa: RUF012 - as theirs

        async def ainvoke(self, arguments: dict[str, Any]) -> dict[str, Any]:
            return arguments

    assert await run(Lookalike(), {"x": "y"}) == '{"x":"y"}'


def test_a_schema_of_another_type_than_object_is_refused() -> None:
    """Tool arguments are always an object."""

    class Odd:
        name = "odd"
        description = "Odd."
        args_schema: dict[str, Any] = {"type": "string"}  # noqa: RUF012 - as theirs

        async def ainvoke(self, arguments: dict[str, Any]) -> None: ...

    with pytest.raises(ToolDefinitionError, match="tool 'odd': its schema is of type 'string'; allowed: 'object'"):
        as_tool(Odd())


def test_the_worker_does_not_need_langchain() -> None:
    """LangChain is not among the worker's dependencies."""
    code = "import sys, worker.tools; print([m for m in sys.modules if m.startswith('langchain')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
