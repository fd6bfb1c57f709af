"""CPU time and memory of a process and of the machine, from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds used until a moment: by a bridge, by this process (the rig), and by the whole machine."""

    at: float
    bridge_s: float
    rig_s: float
    machine_s: float

    @classmethod
    def now(cls, bridge_pid: int) -> Self:
        return cls(time.monotonic(), _process_s(bridge_pid), time.process_time(), _machine_s())

    def since(self, before: Self) -> Self:
        """The usage in between; its `at` is the number of seconds that passed."""
        return type(self)(
            self.at - before.at,
            self.bridge_s - before.bridge_s,
            self.rig_s - before.rig_s,
            self.machine_s - before.machine_s,
        )

    @property
    def rig_percent(self) -> float:
        """The rig's share of one core, in percent; only for a result of `since`."""
        return round(100 * self.rig_s / self.at, 1)

    @property
    def others_s(self) -> float:
        """CPU seconds of all other processes, such as the emulator and other users of the machine."""
        return max(0.0, self.machine_s - self.bridge_s - self.rig_s)


def resident_bytes(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _process_s(pid: int) -> float:
    # The name in parentheses may hold spaces; user and system time are the 14th and 15th field.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _machine_s() -> float:
    user, nice, system, _idle, _buffer, *others = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    irq, softirq, steal = others[:3]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / _TICKS_PER_S
