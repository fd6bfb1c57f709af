"""A program of the stack as a child process: starts it, waits until it is ready, logs to a file, always ends it."""

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]
LEASH = Path(__file__).with_name("leash.py")
HOST = "127.0.0.1"
READY_WITHIN_S = 30.0
LOG_TAIL_LINES = 20


class NotReadyError(Exception):
    """A program ended, or did not become ready in time; the message holds the end of its log."""


def free_port() -> int:
    """A TCP port of this machine that was free just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def end_on_sigterm() -> None:
    """Makes SIGTERM cancel the current task, so that it stops what it started, as after Ctrl-C."""
    running = asyncio.current_task()
    assert running is not None, "a coroutine that runs is in a task"  # noqa: S101 - for mypy
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)


class Process:
    """A program that answers HTTP on `port`, from the moment `start` returns until `stop`.

    `environ` is the program's whole environment: nothing is inherited, so the user's AWS profile, proxy or keys
    never reach the stack by accident. `grace_s` is how long the program may take to end after SIGTERM.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        port: int,
        grace_s: float = 3.0,
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        self._command = list(command)
        self._environ = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1", **environ}
        self._grace_s = grace_s
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, health_path: str) -> Self:
        """Starts the program and waits until `health_path` answers 200; `NotReadyError` leaves nothing running."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-I", str(LEASH), str(self._grace_s), *self._command],
                cwd=REPOSITORY,
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(health_path)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the program and its child processes: SIGTERM, after `grace_s` SIGKILL. May be called twice."""
        child, self._child = self._child, None
        if child is None or child.stdin is None:
            return
        child.stdin.close()
        try:
            child.wait(self._grace_s + 2)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def kill(self) -> None:
        """Ends the program and its child processes with SIGKILL, like a crash."""
        if self._child is not None:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def leave(self) -> None:
        """Sends SIGTERM, and waits without a limit until the program has ended."""
        if self._child is not None:
            os.killpg(self._child.pid, signal.SIGTERM)  # the leash ignores it, and ends with the program
            self._child.wait()

    def _wait_until_ready(self, health_path: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            child = self._child
            if child is None:
                raise NotReadyError(f"{self.name} was stopped before it was ready")
            if child.poll() is not None:
                raise NotReadyError(
                    f"{self.name} ended with status {child.returncode} before it was ready\n{self.tail()}"
                )
            if _answers(self.port, health_path):
                return
            time.sleep(0.05)
        raise NotReadyError(f"{self.name} did not answer {health_path} within {READY_WITHIN_S:.0f} s\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of the program's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
