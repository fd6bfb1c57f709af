"""Runs one program and ends it, with all it started, when whoever holds the other end of standard input goes away.

A parent that is killed outright runs no clean-up code; the kernel still closes its pipes. So a stack never outlives its
demo or its test, however that one ended. Usage: `leash.py GRACE_S PROGRAM [ARGUMENT...]`, in a session of its own.
"""

import os
import signal
import subprocess
import sys
import threading


def run(grace_s: float, command: list[str]) -> int:
    """Run `command` until it ends by itself or the leash is let go, and return its exit status."""
    # A handler and not SIG_IGN: the program would inherit the latter, and could then not be ended politely.
    signal.signal(signal.SIGTERM, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_when_let_go, args=(child, grace_s), daemon=True).start()
    return child.wait()


def _end_when_let_go(child: "subprocess.Popen[bytes]", grace_s: float) -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written: this returns at the end of file
    os.killpg(0, signal.SIGTERM)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    status = run(float(sys.argv[1]), sys.argv[2:])
    # What the program started may be left; it shares our process group, and we no longer mind the signal.
    os.killpg(0, signal.SIGTERM)
    sys.exit(status if status >= 0 else 128 - status)
