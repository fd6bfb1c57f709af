"""Brains decide the model's answers: for each response a brain plans the words and the tool calls. `tool_choice`
overrides the plan, as in the real service."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from local.model.conversation import Item
from local.model.tool_schemas import example_arguments

WITHOUT_TOOLS = "I cannot look that up right now."


class Hold:
    """A point where a planned response waits until `release`, so that a test can make something else happen first."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Lets the response continue."""
        self._released.set()

    async def wait(self) -> None:
        """Signals that the point is reached, and waits for `release`."""
        self.reached.set()
        await self._released.wait()


@dataclass(frozen=True)
class Say:
    """One spoken message item. With `ms` its audio is a tone of exactly that length, else the spoken text.

    `hold` makes the response wait inside the item, after `hold_at_ms` of its audio.
    """

    text: str
    ms: int | None = None
    hold: Hold | None = None
    hold_at_ms: int = 0
    hz: int = 440


@dataclass(frozen=True)
class CallTool:
    """One function call; arguments given as a string are sent unchanged, valid JSON or not."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    call_id: str | None = None


Output = Say | CallTool | Hold


@dataclass(frozen=True)
class Turn:
    """What a brain gets to plan a response."""

    heard: str  # what the caller said or typed since the model last spoke; "" if nothing was recognised
    instructions: str  # the response's if it has any, else the session's
    asked: str  # what `response.create` adds to the session's instructions; "" if nothing
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any]
    items: Sequence[Item]  # the conversation so far
    why: Literal["client", "vad", "idle"]

    @property
    def must_call(self) -> str | bool:
        """False, True for any tool, or the one tool's name."""
        if isinstance(self.tool_choice, dict):
            return str(self.tool_choice["name"])
        return self.tool_choice == "required"

    @property
    def callable_tools(self) -> list[str]:
        """The names of the tools that this response may call."""
        names = [tool["name"] for tool in self.tools]
        if isinstance(self.tool_choice, dict):
            return [self.tool_choice["name"]]
        return [] if self.tool_choice == "none" else names

    @property
    def last_output(self) -> tuple[Item, Item] | None:
        """The newest function call and its output, if nothing was said since."""
        for item in reversed(self.items):
            if item.type == "function_call_output":
                call = next(i for i in self.items if i.type == "function_call" and i.call_id == item.call_id)
                return call, item
            if item.type == "message":
                return None
        return None


class Brain(Protocol):
    """Plans responses. With an empty plan the response is silent, unless `tool_choice` forces a tool call."""

    async def plan(self, turn: Turn) -> Sequence[Output]: ...


def obey(plan: Sequence[Output], turn: Turn) -> list[Output]:
    """The plan as `tool_choice` allows it: "required" and a named tool keep only calls, "none" removes all calls."""
    if turn.must_call:
        calls: list[Output] = [out for out in plan if not isinstance(out, Say) and not _forbidden(out, turn)]
        return calls if any(isinstance(out, CallTool) for out in calls) else [*calls, _forced(turn)]
    if turn.callable_tools:
        return list(plan)
    kept: list[Output] = [out for out in plan if not isinstance(out, CallTool)]
    return kept if any(isinstance(out, Say) for out in kept) or len(kept) == len(plan) else [*kept, Say(WITHOUT_TOOLS)]


def _forbidden(output: Output, turn: Turn) -> bool:
    named = turn.must_call if isinstance(turn.must_call, str) else None
    return isinstance(output, CallTool) and named is not None and output.name != named


def _forced(turn: Turn) -> CallTool:
    name = turn.must_call if isinstance(turn.must_call, str) else turn.callable_tools[0]
    schema = next(tool.get("parameters") for tool in turn.tools if tool["name"] == name)
    return CallTool(name, example_arguments(schema))
