"""Replaces itself by another program, on one core and with its process id in a file.

Usage: `pinned.py CORE PRIORITY PID_FILE PROGRAM [ARGUMENT...]`; priority 0 is the normal one, above 0 is real-time.
"""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    core, priority, pid_file, *command = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    if int(priority):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(priority)))
    Path(pid_file).write_text(str(os.getpid()))
    os.execv(command[0], command)  # noqa: S606 - the bench's own command
