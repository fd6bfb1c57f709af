"""An agent with its tools, ready for calls."""

from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import PlainValidator, ValidationInfo, field_validator

from shared.agents import AgentSchema, RetentionRatio
from shared.agents.problems import did_you_mean
from shared.agents.tool_names import BUILT_IN_TOOLS, ESCALATE_TO_HUMAN, ESCALATION_STATUS, ToolReference
from worker.agents.tool_folder import ToolFolder
from worker.tools import Tool, Toolbox, ToolDefinitionError, as_tool
from worker.tools.builtin import BUILTIN_DEFINITIONS, ESCALATION_STATUS_DEFINITION

TOOL_CHOICES: Final = ("auto", "none", "required", "required_once")


def _resolved(tool: object, info: ValidationInfo) -> str | Tool:
    """The name of a built-in tool unchanged; any other tool, given itself or by reference, as a `Tool`."""
    if isinstance(tool, str):
        if tool in BUILT_IN_TOOLS:
            return tool
        reference = ToolReference.parse(tool)
        if not isinstance(info.context, ToolFolder):
            raise ValueError(f"{tool!r} is in a file, and there is no folder to find it in")  # noqa: TRY004 - pydantic's
        tool = info.context.find(reference)
    try:
        return as_tool(tool)
    except ToolDefinitionError as error:
        raise ValueError(str(error)) from None


class Agent(AgentSchema[Annotated[str | Tool, PlainValidator(_resolved)]]):
    """An agent as its file describes it, with its tools imported and ready to run.

    The validation context is the `ToolFolder` that finds its tools. An agent made in code can be given tools directly.
    """

    @field_validator("tools")
    @classmethod
    def _have_unique_names(cls, tools: tuple[str | Tool, ...]) -> tuple[str | Tool, ...]:
        names = [_name(tool) for tool in tools]
        for name in names:
            if names.count(name) > 1 or (name == ESCALATION_STATUS and ESCALATE_TO_HUMAN in names):
                raise ValueError(f"there are two tools called {name!r}; each needs a name of its own")
            if name in TOOL_CHOICES:
                raise ValueError(f"a tool cannot be called {name!r}, which means something else as tool_choice")
        return tools

    @field_validator("tool_choice")
    @classmethod
    def _can_be_chosen(cls, choice: str, info: ValidationInfo) -> str:
        if "tools" not in info.data:  # the tools are invalid, so the choice cannot be checked
            return choice
        names = [_name(tool) for tool in info.data["tools"]]
        if choice not in (*TOOL_CHOICES, *names):
            raise ValueError(
                f"is {choice!r}{did_you_mean(choice, (*TOOL_CHOICES, *names))}; allowed: {', '.join(TOOL_CHOICES)}, "
                f"or one of this agent's tools: {', '.join(names) or 'it has none'}"
            )
        if choice.startswith("required") and not names:
            raise ValueError(f"is {choice!r}, but the agent has no tools to call; allowed without tools: auto, none")
        return choice

    @cached_property
    def builtin(self) -> frozenset[str]:
        """The names of the agent's built-in tools. `escalate_to_human` adds `escalation_status`."""
        named = frozenset(tool for tool in self.tools if isinstance(tool, str))
        return named | {ESCALATION_STATUS} if ESCALATE_TO_HUMAN in named else named

    @cached_property
    def toolbox(self) -> Toolbox:
        """The agent's other tools."""
        return Toolbox((tool for tool in self.tools if isinstance(tool, Tool)), built_in=self.builtin)

    def definitions(self) -> list[dict[str, Any]]:
        """All the agent's tools in the format of `session.tools`, built-in ones too, in the file's order."""
        named = [BUILTIN_DEFINITIONS[tool] if isinstance(tool, str) else tool.definition() for tool in self.tools]
        return [*named, ESCALATION_STATUS_DEFINITION] if ESCALATION_STATUS in self.builtin else named

    def truncation_setting(self) -> str | dict[str, Any]:
        """The agent's truncation in the format of `session.truncation`."""
        if not isinstance(self.truncation, RetentionRatio):
            return self.truncation
        setting: dict[str, Any] = {"type": "retention_ratio", "retention_ratio": self.truncation.retention_ratio}
        if self.truncation.post_instructions is not None:
            setting["token_limits"] = {"post_instructions": self.truncation.post_instructions}
        return setting


def _name(tool: str | Tool) -> str:
    return tool if isinstance(tool, str) else tool.name
