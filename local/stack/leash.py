"""Runs one program, and ends it with all its child processes when standard input is closed.

A parent that is killed runs no clean-up code, but the kernel closes its pipes. So a stack never outlives its demo or
test. Usage: `leash.py GRACE_S PROGRAM [ARGUMENT...]`, in its own process session.
"""

import os
import signal
import subprocess
import sys
import threading


def run(grace_s: float, command: list[str]) -> int:
    """Runs `command` until it ends by itself or standard input is closed; returns its exit status."""
    # A handler instead of SIG_IGN: the program would inherit SIG_IGN, and SIGTERM could not end it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_at_eof, args=(child, grace_s), daemon=True).start()
    return child.wait()


def _end_at_eof(child: "subprocess.Popen[bytes]", grace_s: float) -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written, so this returns at the end of file
    os.killpg(0, signal.SIGTERM)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    status = run(float(sys.argv[1]), sys.argv[2:])
    # Ends child processes that the program has left; they share our process group. We ignore the signal ourselves.
    os.killpg(0, signal.SIGTERM)
    sys.exit(status if status >= 0 else 128 - status)
