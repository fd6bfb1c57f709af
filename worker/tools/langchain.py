"""A LangChain tool taken as it is: its name, description, schema and `ainvoke`. LangChain itself is not imported."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from worker.tools.errors import ArgumentsRejected, ToolDefinitionError, ToolError
from worker.tools.execution import in_thread
from worker.tools.schema import checked, problems_of
from worker.tools.tool import DEFAULT_TIMEOUT, CallContext, Tool

_THEIRS = "langchain_core."


def is_langchain_tool(candidate: object) -> bool:
    """Whether it has what we need of `langchain_core.tools.BaseTool`; a class does not count, only an instance."""
    return (
        not isinstance(candidate, type)
        and all(hasattr(candidate, needed) for needed in ("name", "description", "ainvoke"))
        and (hasattr(candidate, "tool_call_schema") or hasattr(candidate, "args_schema"))
    )


class LangChainTool(Tool):
    """A LangChain tool as one of ours."""

    def __init__(self, wrapped: Any, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._wrapped = wrapped
        # Unlike `args_schema`, this one leaves out what LangChain injects and the model must not fill in.
        shown = (
            _one_string(wrapped) or getattr(wrapped, "tool_call_schema", None) or getattr(wrapped, "args_schema", None)
        )
        self._model = shown if isinstance(shown, type) and issubclass(shown, BaseModel) else None
        super().__init__(
            name=wrapped.name,
            description=wrapped.description or "",
            parameters=_parameters(wrapped, shown),
            timeout=timeout,
        )

    async def invoke(self, arguments: dict[str, Any], call: CallContext) -> object:
        """Checks the arguments, so that a wrong one is told from a failure inside the tool, and calls the tool."""
        self._check(arguments)
        try:
            if _blocks(self._wrapped):
                # Its `ainvoke` would only send it to a thread of the event loop's default executor.
                return await in_thread(self._wrapped.invoke, dict(arguments))
            return await self._wrapped.ainvoke(dict(arguments))
        except ValidationError as error:
            if error.title != getattr(getattr(self._wrapped, "args_schema", None), "__name__", None):
                raise
            raise ArgumentsRejected("these arguments are wrong", problems_of(error)) from None
        except Exception as error:
            if _is_tool_exception(error):
                raise ToolError(str(error)) from error
            raise

    def _check(self, arguments: dict[str, Any]) -> None:
        missing = [name for name in self.parameters.get("required", ()) if name not in arguments]
        if missing:
            raise ArgumentsRejected("these arguments are wrong", dict.fromkeys(missing, "is required, and is missing"))
        if self._model is not None:
            checked(self._model, arguments)


def _one_string(wrapped: Any) -> dict[str, Any] | None:
    """The schema of LangChain's oldest kind of tool, which takes one string and says so in its `args` only."""
    if getattr(wrapped, "args_schema", None) is not None or set(getattr(wrapped, "args", ())) != {"tool_input"}:
        return None
    return {"type": "object", "properties": wrapped.args, "required": ["tool_input"]}


def _parameters(wrapped: Any, shown: Any) -> dict[str, Any]:
    """The tool's own schema, whole: with `required` and `$defs`, which its `args` lack."""
    if isinstance(shown, Mapping):
        schema = dict(shown)
    elif hasattr(shown, "model_json_schema"):
        schema = dict(shown.model_json_schema())
    elif hasattr(shown, "schema"):  # a pydantic 1 model
        schema = dict(shown.schema())
    else:
        raise ToolDefinitionError(
            f"tool {wrapped.name!r}: its schema is {shown!r}; allowed are a pydantic model and a JSON Schema as a dict"
        )
    if schema.get("type", "object") != "object":
        raise ToolDefinitionError(f"tool {wrapped.name!r}: its schema is of type {schema['type']!r}; allowed: 'object'")
    own = {key: value for key, value in schema.items() if key not in ("title", "description")}
    return {"type": "object", "properties": {}} | own


def _blocks(wrapped: Any) -> bool:
    """Whether it has no async side of its own, so that LangChain's stand-in for it would run it in a thread."""
    if hasattr(wrapped, "coroutine"):
        return wrapped.coroutine is None
    owner = next((kind for kind in type(wrapped).__mro__ if "_arun" in vars(kind)), None)
    return owner is not None and owner.__module__.startswith(_THEIRS)


def _is_tool_exception(error: Exception) -> bool:
    """LangChain's `ToolException`, by which a tool's author says something to the model."""
    return any(kind.__name__ == "ToolException" and kind.__module__.startswith(_THEIRS) for kind in type(error).__mro__)
