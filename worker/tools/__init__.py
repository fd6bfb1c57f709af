"""An agent's tools: your own functions with `@tool`, and LangChain's tools unchanged."""

from worker.tools.errors import ArgumentsRejected, ToolDefinitionError, ToolError
from worker.tools.function_tool import FunctionTool, tool
from worker.tools.tool import CallContext, Tool
from worker.tools.toolbox import Toolbox, as_tool

__all__ = [
    "ArgumentsRejected",
    "CallContext",
    "FunctionTool",
    "Tool",
    "ToolDefinitionError",
    "ToolError",
    "Toolbox",
    "as_tool",
    "tool",
]
