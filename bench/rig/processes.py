"""What the kernel counts of a process and of the machine, from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Processor seconds used until some moment: by a bridge, by this process, by all of the machine."""

    at: float
    bridge_s: float
    rig_s: float
    machine_s: float

    @classmethod
    def now(cls, bridge_pid: int) -> Self:
        return cls(time.monotonic(), _process_s(bridge_pid), time.process_time(), _machine_s())

    def since(self, before: Self) -> Self:
        """What was used in between; `at` becomes the seconds that passed."""
        return type(self)(
            self.at - before.at,
            self.bridge_s - before.bridge_s,
            self.rig_s - before.rig_s,
            self.machine_s - before.machine_s,
        )

    @property
    def rig_percent(self) -> float:
        """Of one core, once `at` is a time that has passed."""
        return round(100 * self.rig_s / self.at, 1)

    @property
    def others_s(self) -> float:
        """By everybody else, the emulator and a shared machine's other users."""
        return max(0.0, self.machine_s - self.bridge_s - self.rig_s)


def resident_bytes(pid: int) -> int:
    """What a process holds in memory."""
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
