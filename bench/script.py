"""How a conversation of the rig goes: the agent speaks, the caller interrupts, speaks, is answered, and so on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """As told, the agent speaks about half of the time, and its last 600 ms are never heard."""

    delta_ms: int = 200  # audio in one delta
    deltas: int = 15
    ahead: int = 4  # how many times faster than real time the model speaks
    interrupted_after_ms: int = 2400  # counted from the first delta; all deltas have been sent by then
    caller_speaks_ms: int = 2600

    def __post_init__(self) -> None:
        sent_ms = self.deltas * self.delta_ms
        if not sent_ms / self.ahead < self.interrupted_after_ms < sent_ms:
            raise ValueError(
                f"interrupted_after_ms is {self.interrupted_after_ms}, must lie after the last delta was sent "
                f"({sent_ms / self.ahead:.0f}) and before it is played ({sent_ms})"
            )

    @property
    def turn_ms(self) -> int:
        """From one answer of the agent to the next."""
        return self.interrupted_after_ms + self.caller_speaks_ms
