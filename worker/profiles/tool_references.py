"""How a profile names its tools: a built-in one by its name, any other as `module:attribute`."""

from importlib import import_module
from types import ModuleType

from worker.builtin_tools import BUILTIN_DEFINITIONS
from worker.profiles.problems import did_you_mean
from worker.tools import Tool, ToolDefinitionError, as_tool
from worker.tools.langchain import is_langchain_tool


def resolve(reference: object) -> str | Tool:
    """The built-in tool's name as it is, else the tool that the reference names, imported.

    Raises `ValueError` that says why there is no such tool, and what there is.
    """
    if isinstance(reference, str):
        if reference in BUILTIN_DEFINITIONS:
            return reference
        reference = _imported(reference)
    try:
        return as_tool(reference)
    except ToolDefinitionError as error:
        raise ValueError(str(error)) from None


def _imported(reference: str) -> object:
    module_name, colon, attribute = reference.partition(":")
    if not (module_name and colon and attribute):
        raise ValueError(
            f"{reference!r} names no tool{did_you_mean(reference, BUILTIN_DEFINITIONS)}; "
            f'allowed: {", ".join(BUILTIN_DEFINITIONS)}, or "module:function"'
        )
    module = _module(module_name)
    if not hasattr(module, attribute):
        there = sorted(
            name for name, value in vars(module).items() if isinstance(value, Tool) or is_langchain_tool(value)
        )
        raise ValueError(
            f"{module_name} has no {attribute!r}{did_you_mean(attribute, there)}; "
            f"its tools are: {', '.join(there) or 'none'}"
        )
    return getattr(module, attribute)


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"there is no module {error.name!r}") from None
        raise ValueError(f"{name} cannot be imported: it needs the module {error.name!r}") from error
    except Exception as error:
        raise ValueError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
