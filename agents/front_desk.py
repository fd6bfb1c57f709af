"""Tools of the agents in this folder. A tool is a typed function with `@tool` and a docstring."""

from worker.tools import tool


@tool
async def opening_hours() -> str:
    """Tells when the business is open. Use it for every question about opening times; never guess them."""
    return "Monday to Friday 9 to 17, on Saturdays 10 to 14, closed on Sundays"
