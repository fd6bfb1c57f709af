"""The tools of one agent, by name."""

from collections.abc import Iterable, Iterator
from typing import Any

from worker.tools.errors import ToolDefinitionError
from worker.tools.langchain import LangChainTool, is_langchain_tool
from worker.tools.output import error_output
from worker.tools.tool import DEFAULT_TIMEOUT, CallContext, Tool


def as_tool(candidate: object, *, timeout: float = DEFAULT_TIMEOUT) -> Tool:
    """Returns a `Tool` unchanged and wraps a LangChain tool; raises `ToolDefinitionError` for anything else.

    `timeout`, in seconds, is for a LangChain tool, which does not define one.
    """
    if isinstance(candidate, Tool):
        return candidate
    if is_langchain_tool(candidate):
        return LangChainTool(candidate, timeout=timeout)
    if callable(candidate):
        raise ToolDefinitionError(f"{candidate!r} is not a tool; put @tool above the function")
    raise ToolDefinitionError(f"{candidate!r} is not a tool; allowed are a @tool function and a LangChain tool")


class Toolbox:
    """Runs an agent's tools by the name that the model calls.

    `built_in` are the names of the tools that the call itself runs: no tool here may have such a name, and the output
    for an unknown name lists them too.
    """

    def __init__(self, tools: Iterable[object] = (), *, built_in: Iterable[str] = ()) -> None:
        self._built_in = tuple(sorted(built_in))
        self._tools: dict[str, Tool] = {}
        for tool in map(as_tool, tools):
            if tool.name in self._tools or tool.name in self._built_in:
                raise ToolDefinitionError(f"tool {tool.name!r}: another tool has this name; each needs its own")
            self._tools[tool.name] = tool

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def definitions(self) -> list[dict[str, Any]]:
        """The tools in the format of `session.tools`, without the built-in ones."""
        return [tool.definition() for tool in self]

    async def run(self, name: str, arguments: str, call: CallContext) -> str:
        """Runs the named tool, as `Tool.run`; for an unknown name returns an error output."""
        tool = self._tools.get(name)
        if tool is None:
            names = ", ".join([*self._tools, *self._built_in]) or "none"
            return error_output(f"There is no tool of this name. The tools are: {names}.")
        return await tool.run(arguments, call)
