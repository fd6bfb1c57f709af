"""How a call can end."""

from enum import StrEnum


class CallEnd(StrEnum):
    """How a call's stream ended, as the worker saw it. A worker that died has recorded none of these."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    FAILED = "failed"
    MOVED = "moved"  # by a worker that must leave, to be connected to another
    TRANSFERRED = "transferred"  # to a person who waits for the caller

    @property
    def normal(self) -> bool:
        """Whether the caller got to the end of the conversation."""
        return self in (CallEnd.CALLER_HUNG_UP, CallEnd.AGENT_HUNG_UP)
