"""Tools of the agent in the whole-path tests."""

import asyncio

from worker.tools import CallContext, tool

TOOL_S = 100.0


@tool
async def note(word: str, call: CallContext) -> str:
    """Returns the word and the caller's number."""
    return f"{word} from {call.caller}"


@tool(timeout=TOOL_S + 10)
async def search_archive() -> str:
    """Takes longer than any call."""
    await asyncio.sleep(TOOL_S)
    return "nothing found"
