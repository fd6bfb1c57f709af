"""How a call can end."""

from enum import StrEnum


class CallEnd(StrEnum):
    """How a call's stream ended, as the worker recorded it. A worker that died recorded nothing."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    FAILED = "failed"
    MOVED = "moved"  # a draining worker let the call move to another one
    TRANSFERRED = "transferred"  # to a person on call who waits for the caller

    @property
    def normal(self) -> bool:
        """Whether the conversation was finished."""
        return self in (CallEnd.CALLER_HUNG_UP, CallEnd.AGENT_HUNG_UP)
