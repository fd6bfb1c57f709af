"""The emulator answers, keeps its data separate, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest

from local.stack.emulator import Emulator
from local.stack.process import REPOSITORY, NotReadyError, Process, free_port


def _alive(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_queue_made_in_the_emulator_takes_a_message(emulator: Emulator) -> None:
    """The endpoint serves real SDK calls, and the queue's URL points to it."""
    sqs = boto3.client("sqs", **emulator.connection)
    url = sqs.create_queue(QueueName="emulator-test")["QueueUrl"]
    assert url.startswith(emulator.url)
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert [m["Body"] for m in sqs.receive_message(QueueUrl=url)["Messages"]] == ["hello"]


def test_nothing_is_left_when_the_emulator_stops(tmp_path: Path) -> None:
    """The port is free again, the state is deleted, and a requested log is kept."""
    log = tmp_path / "emulator.log"
    with Emulator(log) as emulator:
        port = int(emulator.url.rpartition(":")[2])
        assert _alive(port)
    assert not _alive(port)
    assert log.read_text()
    assert not emulator._directory.exists()


def test_the_emulator_dies_with_a_parent_that_was_killed() -> None:
    """SIGKILL runs no clean-up code, but the leash ends the emulator."""
    script = "from local.stack.emulator import Emulator\nwith Emulator() as e:\n print(e.url, flush=True)\n input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    port = int(parent.stdout.readline().rpartition(":")[2])
    assert _alive(port)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while _alive(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(port)


def test_a_program_that_ends_before_it_is_ready_is_an_error_with_its_log(tmp_path: Path) -> None:
    """The reason is in the error itself, not only in a log file."""
    command = [sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"]
    program = Process("the program", command, environ={}, log=tmp_path / "log", port=free_port())
    with pytest.raises(NotReadyError, match=r"ended with status 3 before it was ready\nno such luck"):
        program.start("/health")


def test_a_program_that_is_stopped_before_it_is_ready_is_waited_for_no_longer(tmp_path: Path) -> None:
    """A start that is cancelled, by Ctrl-C for example, does not wait for its timeout."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    program = Process("the program", command, environ={}, log=tmp_path / "log", port=free_port())
    threading.Timer(0.5, program.stop).start()
    with pytest.raises(NotReadyError, match="was stopped before it was ready"):
        program.start("/health")
