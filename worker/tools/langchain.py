"""Uses a LangChain tool's name, description, schema and `ainvoke`. LangChain itself is not imported."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from worker.tools.errors import ArgumentsRejected, ToolDefinitionError, ToolError
from worker.tools.execution import in_thread
from worker.tools.schema import checked, problems_of
from worker.tools.tool import DEFAULT_TIMEOUT, CallContext, Tool

_LANGCHAIN = "langchain_core."


def is_langchain_tool(candidate: object) -> bool:
    """Whether it is an instance with the attributes we need of `langchain_core.tools.BaseTool`."""
    return (
        not isinstance(candidate, type)
        and all(hasattr(candidate, needed) for needed in ("name", "description", "ainvoke"))
        and (hasattr(candidate, "tool_call_schema") or hasattr(candidate, "args_schema"))
    )


class LangChainTool(Tool):
    """A LangChain tool as a `Tool`."""

    def __init__(self, wrapped: Any, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._wrapped = wrapped
        # Unlike `args_schema`, `tool_call_schema` omits the arguments that LangChain injects.
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
        """Validates the arguments first, to tell wrong ones from a failure inside the tool; then calls the tool."""
        self._check(arguments)
        try:
            if _blocks(self._wrapped):
                # Its `ainvoke` would run it in the event loop's default thread pool.
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
    """The schema of LangChain's oldest kind of tool, which takes one string and has a schema only in `args`."""
    if getattr(wrapped, "args_schema", None) is not None or set(getattr(wrapped, "args", ())) != {"tool_input"}:
        return None
    return {"type": "object", "properties": wrapped.args, "required": ["tool_input"]}


def _parameters(wrapped: Any, shown: Any) -> dict[str, Any]:
    """The tool's complete schema, with `required` and `$defs`, which its `args` lack."""
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
    """Whether it has no async implementation, so that LangChain's default would run it in a thread."""
    if hasattr(wrapped, "coroutine"):
        return wrapped.coroutine is None
    owner = next((kind for kind in type(wrapped).__mro__ if "_arun" in vars(kind)), None)
    return owner is not None and owner.__module__.startswith(_LANGCHAIN)


def _is_tool_exception(error: Exception) -> bool:
    """Whether it is LangChain's `ToolException`, whose message is for the model."""
    return any(
        kind.__name__ == "ToolException" and kind.__module__.startswith(_LANGCHAIN) for kind in type(error).__mro__
    )
