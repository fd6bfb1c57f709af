"""The errors of tools: a wrong definition, wrong arguments from the model, or no result."""

from collections.abc import Mapping


class ToolDefinitionError(TypeError):
    """A tool's definition is wrong; names the tool and the parameter, and says what is wrong."""


class ToolError(Exception):
    """Raised by a tool to tell the model why there is no result.

    The model reads its message and may say it aloud. For any other exception the model is only told that the tool
    failed.
    """


class ArgumentsRejected(ValueError):
    """The model's arguments do not fit the schema; `problems` says for each what is wrong and what is allowed."""

    def __init__(self, message: str, problems: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.problems = dict(problems or {})
