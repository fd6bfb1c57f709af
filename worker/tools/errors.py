"""What can be wrong with a tool: how it is written, how the model called it, or that it has no result to give."""

from collections.abc import Mapping


class ToolDefinitionError(TypeError):
    """A tool that cannot be offered to a model as it is written; says which tool and parameter, and what is wrong."""


class ToolError(Exception):
    """Raised by a tool to tell the model, in the tool's own words, why there is no result.

    Its message is what the model reads, and may say aloud. Any other exception is hidden from the model behind a
    sentence that says no more than that the tool failed.
    """


class ArgumentsRejected(ValueError):
    """The model called a tool with arguments that do not fit; `problems` says for each what is wrong and allowed."""

    def __init__(self, message: str, problems: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.problems = dict(problems or {})
