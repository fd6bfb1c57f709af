"""Imports tools from the files of one folder, without adding the folder to `sys.path`.

The folder becomes the package `bellhop_agents` in `sys.modules`. So its files can import each other (`from . import
rooms`), each runs once, and none hides another module: a file may be called json.py.
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
"""The package of a process's first folder; the names of its modules and loggers begin with it."""

_packages: Final[dict[Path, str]] = {}


class ToolFolder:
    """The folder with the agents' files and their tools' files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._package = _package_of(self._folder)

    def find(self, reference: ToolReference) -> object:
        """Imports the referenced object. Raises `ValueError`, which says why that failed and which tools exist."""
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
                f"; modules from elsewhere are not searched: write `from {reference.module} import "
                f"{reference.function}` into a file beside the agent's, and name that file"
            )
        missing = f"there is no {reference.file} beside the agent's file"
        return f"{missing}{hint}; what is there: {', '.join(there) or 'none'}"

    def _files(self) -> Iterator[Path]:
        """The Python files in the folder and one level below, which is enough for a hint."""
        for pattern in ("*.py", "*/*.py"):
            yield from sorted(self._folder.glob(pattern))

    def _failure(self, error: BaseException) -> str:
        """The message for a failed import, with file and line."""
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
        """The last file and line of this folder in the traceback, or that of the syntax error."""
        places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError) and error.filename:
            places.append((error.filename, error.lineno))
        own = [(Path(name), line) for name, line in places if Path(name).is_relative_to(self._folder)]
        return own[-1] if own else (None, None)


def _package_of(folder: Path) -> str:
    """The name of the folder's package, which is created at first use. Each folder has its own."""
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
    """Whether the module exists outside of the folder."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or PathFinder.find_spec(top) is not None
