"""`@tool` makes a tool of a typed function. Its annotations become the schema, its docstring the description."""

import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from worker.tools.errors import ToolDefinitionError
from worker.tools.execution import in_thread
from worker.tools.signature import Signature
from worker.tools.tool import DEFAULT_TIMEOUT, CallContext, Tool

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


class FunctionTool(Tool, Generic[Parameters, Returned]):
    """A function as a tool. Calling it calls the function, so that it can be tested as one."""

    def __init__(
        self,
        function: Callable[Parameters, Returned],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._function: Callable[Parameters, Returned] = function
        yields = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        if yields or not (inspect.isfunction(function) or inspect.ismethod(function)):
            raise ToolDefinitionError(f"{function!r} cannot be a tool; allowed is a function that returns its result")
        name = name or function.__name__
        description = description or inspect.getdoc(function)
        if not description:
            raise ToolDefinitionError(
                f"tool {name!r}: it has no docstring, from which the model learns what the tool does and when to use it"
            )
        self._signature = Signature.of(function, name)
        self.__doc__ = description
        super().__init__(name=name, description=description, parameters=self._signature.schema(), timeout=timeout)

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        return self._function(*args, **kwargs)

    async def invoke(self, arguments: dict[str, Any], call: CallContext) -> object:
        """Calls the function: on the event loop if it is async, else in a thread."""
        bound: dict[str, Any] = self._signature.bind(arguments, call)
        function: Callable[..., object] = self._function
        result = function(**bound) if inspect.iscoroutinefunction(function) else await in_thread(function, **bound)
        return await result if inspect.isawaitable(result) else result


@overload
def tool(function: Callable[Parameters, Returned], /) -> FunctionTool[Parameters, Returned]: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, timeout: float = DEFAULT_TIMEOUT
) -> Callable[[Callable[Parameters, Returned]], FunctionTool[Parameters, Returned]]: ...
def tool(function: Callable[..., Any] | None = None, /, **settings: Any) -> object:
    """Makes a tool of a typed function, sync or async: `@tool`, or `@tool(name=..., description=..., timeout=5.0)`.

    Every parameter needs a type; describe it with `Annotated[int, "how many nights"]` or with pydantic's `Field`.
    A parameter annotated with `CallContext` receives the call and is not shown to the model. `timeout` is in seconds.
    Raises `ToolDefinitionError`, when the module is imported, for a function that a model could not call.
    """
    if function is None:
        return lambda decorated: FunctionTool(decorated, **settings)
    return FunctionTool(function)
