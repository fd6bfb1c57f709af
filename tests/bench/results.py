"""Sample results for tests of the reports."""

from dataclasses import replace

from bench.report.result import Memory, Result
from bench.rig.arrivals import Counts
from bench.rig.gauges import Gauges
from bench.rig.processes import Usage
from bench.rig.rig import Conditions

COUNTS = Counts(
    frames_sent=100,
    frames_arrived=100,
    deltas_sent=15,
    deltas_arrived=15,
    interruptions=1,
    clears=1,
    marks_echoed=16,
    strays=0,
    disordered=0,
    calls_lost=0,
    refusals=0,
)


def a_result(
    bridge: str, calls: int, cpu_s: float = 4.5, conditions: Conditions | None = None, **counts: int
) -> Result:
    """The result of a run of ten seconds, without losses unless `counts` has some."""
    memory = Memory(2**20, 2**20 * 2, 2**20 * 3, calls // 2, calls)
    used = Usage(at=10, bridge_s=cpu_s, rig_s=1, machine_s=5)
    return Result.of(bridge, conditions or Conditions(), Gauges(), used, memory, replace(COUNTS, **counts), 100)
