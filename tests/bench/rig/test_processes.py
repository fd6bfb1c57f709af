"""CPU time and memory from /proc are those of the process."""

import subprocess
import sys

from bench.rig.processes import Usage, resident_bytes

WORK = "import sys; x = bytearray(50_000_000); i = 0\nwhile i < 2_000_000: i += 1\nprint(flush=True); sys.stdin.read()"


def test_time_and_memory_of_another_process_are_seen() -> None:
    """For a child that has counted to two million and holds 50 MB."""
    before = Usage.now(1)
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        after = Usage.now(child.pid)
        assert resident_bytes(child.pid) > 50_000_000
    assert after.bridge_s > 0
    assert after.machine_s - before.machine_s > 0


def test_what_is_neither_the_bridges_nor_the_rigs_is_others() -> None:
    """And never negative, although the counters are rounded differently."""
    assert Usage(at=1, bridge_s=0.5, rig_s=0.25, machine_s=1.5).others_s == 0.75
    assert Usage(at=1, bridge_s=0.5, rig_s=0.25, machine_s=0.7).others_s == 0
