"""The base class of tools: name, description and schema for the model, and a run that always gives an output."""

import asyncio
import math
import re
import traceback
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json

from shared.logs import logger
from worker.tools.errors import ArgumentsRejected, ToolDefinitionError, ToolError
from worker.tools.execution import ToolCancelled, ToolTimeout, with_timeout
from worker.tools.output import error_output, to_output

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds. After a longer silence, callers believe that the line is dead."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_log = logger("worker")


@dataclass(frozen=True, slots=True)
class CallContext:
    """The call, as its tools see it. A parameter annotated with this class is not shown to the model."""

    call_sid: str
    caller: str
    called: str
    language: str


class Tool(ABC):
    """Something that the model may call by name with JSON arguments.

    `parameters` is the JSON Schema of an object, `timeout` is in seconds.
    """

    def __init__(
        self, *, name: str, description: str, parameters: dict[str, Any], timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ToolDefinitionError(
                f"tool {name!r}: a model cannot call it by this name; allowed are 1 to 64 letters, digits, '_' and '-'"
            )
        if not (timeout > 0 and math.isfinite(timeout)):
            raise ToolDefinitionError(f"tool {name!r}: its timeout is {timeout}; allowed are seconds above 0")
        self.name = name
        self.description = description
        self.parameters = parameters
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def definition(self) -> dict[str, Any]:
        """The tool in the format of `session.tools`: flat, not nested under `function` as in Chat Completions."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }

    @abstractmethod
    async def invoke(self, arguments: dict[str, Any], call: CallContext) -> object:
        """Does the work. Raises `ArgumentsRejected` before it starts if the arguments do not fit."""

    async def run(self, arguments: str, call: CallContext) -> str:
        """Runs the tool; the output is its result, or an error that says what happened.

        `arguments` is the model's JSON text. Raises only `asyncio.CancelledError`, when the caller is cancelled.
        """
        try:
            return await with_timeout(self.timeout, self._outcome(arguments, call), name=self.name)
        except ToolTimeout:
            _log.warning("tool took too long", tool=self.name, call_sid=call.call_sid, seconds=self.timeout)
            return error_output(
                f"{self.name} took longer than {self.timeout:g} s and was given up. "
                "It gave no result, and whether it had an effect is not known."
            )
        except ToolCancelled:
            _log.warning("tool cancelled itself", tool=self.name, call_sid=call.call_sid)
            return error_output(f"{self.name} failed and gave no result.")

    async def _outcome(self, arguments: str, call: CallContext) -> str:
        try:
            return to_output(await self.invoke(read_arguments(arguments), call))
        except ArgumentsRejected as rejected:
            wrong = list(rejected.problems)
            _log.info("tool called with wrong arguments", tool=self.name, call_sid=call.call_sid, parameters=wrong)
            return error_output(f"{self.name} did not run: {rejected}", rejected.problems)
        except ToolError as error:
            _log.info("tool has no result", tool=self.name, call_sid=call.call_sid)
            return error_output(str(error) or f"{self.name} failed and gave no result.")
        except asyncio.CancelledError:
            raise
        # SystemExit and KeyboardInterrupt would stop the event loop and so every other call.
        except BaseException as failure:  # noqa: BLE001 - a tool never ends the call
            # Arguments and the exception's message are not logged: both may contain what the caller said.
            kind, place = type(failure).__name__, _raised_at(failure)
            _log.warning("tool failed", tool=self.name, call_sid=call.call_sid, error=kind, at=place)
            return error_output(f"{self.name} failed and gave no result.")


def read_arguments(arguments: str) -> dict[str, Any]:
    """The model's JSON text as a dict; empty text and `null` give {}. Raises `ArgumentsRejected`."""
    if not arguments.strip():
        return {}
    try:
        value = from_json(arguments, allow_inf_nan=False)
    except ValueError as error:
        raise ArgumentsRejected(f"the arguments are not valid JSON ({error})") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ArgumentsRejected(f"the arguments must be a JSON object, not {_JSON_KINDS[type(value)]}")
    return value


_JSON_KINDS = {list: "an array", str: "a string", bool: "true or false", int: "a number", float: "a number"}


def _raised_at(failure: BaseException) -> str:
    frames = traceback.extract_tb(failure.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
