"""Imports tools from the files of one folder, without making its files importable for anything else.

The folder is a package of its own in `sys.modules`, `bellhop_agents`. So its files can import each other
(`from . import rooms`), each is run once, and none takes the name of another module: a file may be called json.py.
"""

import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Final

from shared.agents.problems import did_you_mean
from shared.agents.tool_names import ToolReference
from worker.tools import Tool
from worker.tools.langchain import is_langchain_tool

PACKAGE: Final = "bellhop_agents"
"""The package of the first folder of a process, and so the first part of its modules' and loggers' names."""

_packages: Final[dict[Path, str]] = {}


class ToolFolder:
    """The folder of agents' files, with the files in which their tools stand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._package = _package_of(self._folder)

    def find(self, reference: ToolReference) -> object:
        """What the reference names, imported. Raises `ValueError` that says why there is no such tool, and what is."""
        module = self._module(reference)
        if not hasattr(module, reference.function):
            tools = sorted(name for name, value in vars(module).items() if _is_tool(value))
            raise ValueError(
                f"{reference.file} has no {reference.function!r}{did_you_mean(reference.function, tools)}; "
                f"its tools are: {', '.join(tools) or 'none'}"
            )
        return getattr(module, reference.function)

    def _module(self, reference: ToolReference) -> ModuleType:
        if not self._has(reference.module):
            raise ValueError(self._missing(reference))
        try:
            return import_module(f"{self._package}.{reference.module}")
        except (Exception, SystemExit) as error:
            raise ValueError(f"{reference.file} cannot be imported: {self._failure(error)}") from error

    def _has(self, module: str) -> bool:
        path = self._folder.joinpath(*module.split("."))
        return path.with_suffix(".py").is_file() or path.joinpath("__init__.py").is_file()

    def _missing(self, reference: ToolReference) -> str:
        there = [".".join(file.relative_to(self._folder).with_suffix("").parts) for file in self._files()]
        hint = did_you_mean(reference.module, there)
        if not hint and _is_installed(reference.module):
            hint = (
                f"; modules from elsewhere are not looked for: write `from {reference.module} import "
                f"{reference.function}` into a file beside the agent's, and name that file"
            )
        missing = f"there is no {reference.file} beside the agent's file"
        return f"{missing}{hint}; what is there: {', '.join(there) or 'none'}"

    def _files(self) -> Iterator[Path]:
        """The files that are beside the agents' or one folder below: enough for a hint."""
        for pattern in ("*.py", "*/*.py"):
            yield from sorted(self._folder.glob(pattern))

    def _failure(self, error: BaseException) -> str:
        """What went wrong in an import, and where."""
        file, line = self._place(error)
        at = f" ({file.relative_to(self._folder)}:{line})" if file else ""
        if isinstance(error, SyntaxError):
            return f"{type(error).__name__}: {error.msg}{at}"
        if not isinstance(error, ModuleNotFoundError) or error.name is None:
            return f"{type(error).__name__}: {error}{at}"
        needed = error.name.removeprefix(f"{self._package}.")
        beside = file is not None and file.with_name(f"{needed}.py").is_file()
        hint = f"; for the file beside it write `from . import {needed}`" if beside else ""
        return f"it needs the module {needed!r}{at}{hint}"

    def _place(self, error: BaseException) -> tuple[Path | None, int | None]:
        """The last line of the folder's own that was run, or cannot be read."""
        places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError) and error.filename:
            places.append((error.filename, error.lineno))
        own = [(Path(name), line) for name, line in places if Path(name).is_relative_to(self._folder)]
        return own[-1] if own else (None, None)


def _package_of(folder: Path) -> str:
    """The name of the folder's package, which is made when there is none. Two folders have two."""
    if folder not in _packages:
        name = f"{PACKAGE}_{len(_packages) + 1}" if _packages else PACKAGE
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        sys.modules[name] = module_from_spec(spec)
        _packages[folder] = name
    return _packages[folder]


def _is_tool(value: object) -> bool:
    return isinstance(value, Tool) or is_langchain_tool(value)


def _is_installed(module: str) -> bool:
    """Whether it may be a module that anything else could import."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or PathFinder.find_spec(top) is not None
