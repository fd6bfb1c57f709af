"""Tools of the agent that the whole-path tests talk to."""

import asyncio

from worker.tools import CallInfo, tool


@tool
async def note(word: str, call: CallInfo) -> str:
    """Repeats the word, and says whose call this is."""
    return f"{word} from {call.caller}"


@tool(timeout=60.0)
async def search_archive() -> str:
    """Takes longer than any test."""
    await asyncio.sleep(50)
    return "nothing found"
