"""Tools of the agent that the whole-path tests talk to."""

import asyncio

from worker.tools import CallContext, tool

TOOL_S = 100.0


@tool
async def note(word: str, call: CallContext) -> str:
    """Repeats the word, and says whose call this is."""
    return f"{word} from {call.caller}"


@tool(timeout=TOOL_S + 10)
async def search_archive() -> str:
    """Takes longer than any call."""
    await asyncio.sleep(TOOL_S)
    return "nothing found"
