"""An unread log blocks no thread; lines stay whole and in order, and missing lines are reported."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local.stack.process import REPOSITORY
from worker.service import log_writer
from worker.service.log_writer import LineStream, LogWriter, log_written_aside, never_dropped

PIPE_BYTES = 64 * 1024


class Pipe:
    """A writer and its pipe; `reported` are its reported numbers of dropped lines."""

    def __init__(self, max_bytes: int = 2**20) -> None:
        self.reads, self.writes = os.pipe()
        self.reported: list[int] = []
        self.writer = LogWriter(self.writes, self._report_dropped, max_bytes)
        self.stream = LineStream(self.writes, self.writer)

    def _report_dropped(self, dropped: int) -> None:
        self.reported.append(dropped)
        self.writer.put(f"dropped {dropped}\n")

    def read(self) -> list[str]:
        """All lines, including those that are still queued."""
        os.set_blocking(self.reads, False)
        end, done = time.monotonic() + 20, False
        data = b""
        while not done:
            assert time.monotonic() < end
            done = self.writer.finish(0.01)
            with suppress(BlockingIOError):
                while True:
                    data += os.read(self.reads, PIPE_BYTES)
        return data.decode().splitlines()


@pytest.fixture
def new_pipe() -> Iterator[Callable[..., Pipe]]:
    """Makes pipes, and closes them when their queues are empty."""
    made: list[Pipe] = []

    def make(**settings: Any) -> Pipe:
        made.append(Pipe(**settings))
        return made[-1]

    yield make
    for each in made:
        each.read()
        os.close(each.writes)
        os.close(each.reads)


def test_in_order(new_pipe: Callable[..., Pipe]) -> None:
    """Lines are written in the order of `put`."""
    pipe = new_pipe()
    lines = [f"line {number}" for number in range(1000)]
    for line in lines:
        print(line, file=pipe.stream)
    assert pipe.read() == lines


def test_not_read(new_pipe: Callable[..., Pipe]) -> None:
    """No thread blocks. Lines that fit are queued, the others counted once each; then lines are accepted again."""
    # More than the pipe holds, so that the queue cannot run empty before the pipe is read.
    pipe = new_pipe(max_bytes=4 * PIPE_BYTES)
    lines = [f"{number:099}" for number in range(10_000)]
    for line in lines:
        print(line, file=pipe.stream)
    got = pipe.read()
    (dropped,) = pipe.reported
    assert got == [*lines[:-dropped], f"dropped {dropped}"]
    assert PIPE_BYTES // 100 < len(got) < 5 * PIPE_BYTES // 100


def test_empty_lines(new_pipe: Callable[..., Pipe]) -> None:
    """Empty lines use memory as well, so they count towards the bound."""
    pipe = new_pipe(max_bytes=100_000)
    for _ in range(100_000):
        print(file=pipe.stream)
    assert len(pipe.writer._lines) <= 1000
    pipe.read()


def test_never_dropped(new_pipe: Callable[..., Pipe]) -> None:
    """A line that must not be lost is written, even if the lines around it are dropped."""
    pipe = new_pipe(max_bytes=1000)
    for number in range(2000):
        print(f"line {number:090}", file=pipe.stream)
        if number % 10 == 0:
            with never_dropped():
                print(f"kept {number:090}", file=pipe.stream)
    lines = pipe.read()
    assert [int(line.split()[1]) for line in lines if line.startswith("kept")] == list(range(0, 2000, 10))
    numbers = [int(line.split()[1]) for line in lines if not line.startswith("dropped")]
    assert numbers == sorted(numbers)
    assert sum(line.startswith("line") for line in lines) + sum(pipe.reported) == 2000
    assert lines[-1] == f"dropped {pipe.reported[-1]}"


def test_several_gaps(new_pipe: Callable[..., Pipe]) -> None:
    """Each gap is reported at its place, and lines are accepted again after it."""
    pipe = new_pipe(max_bytes=1000)
    lines: list[str] = []
    for _ in range(3):
        for number in range(2000):
            print(f"{number:099}", file=pipe.stream)
        lines += pipe.read()
        assert lines[-1] == f"dropped {pipe.reported[-1]}"
    assert sum(not line.startswith("dropped") for line in lines) + sum(pipe.reported) == 3 * 2000


def test_a_fault_in_the_report_of_a_gap(new_pipe: Callable[..., Pipe]) -> None:
    """The fault does not end the writer's thread."""
    pipe = new_pipe(max_bytes=1000)

    def fail(_dropped: int) -> None:
        raise ZeroDivisionError

    pipe.writer._report_dropped = fail
    for number in range(2000):
        print(f"{number:099}", file=pipe.stream)
    assert pipe.read()
    print("after all", file=pipe.stream)
    assert pipe.read() == ["after all"]


def test_a_line_longer_than_the_bound(new_pipe: Callable[..., Pipe]) -> None:
    """A line longer than the bound is written when the queue is empty, because the bound is for the queue."""
    pipe = new_pipe(max_bytes=1000)
    print("x" * 5000, file=pipe.stream)
    assert pipe.read() == ["x" * 5000]


def test_lines_of_several_threads(new_pipe: Callable[..., Pipe]) -> None:
    """`print` writes a line in pieces; pieces of different threads are not mixed in one line."""
    pipe = new_pipe()

    def write(name: str) -> None:
        for number in range(500):
            print(name, number, name, file=pipe.stream)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    lines = pipe.read()
    for name in "abcd":
        assert [line for line in lines if line[0] == name] == [f"{name} {number} {name}" for number in range(500)]


def test_a_line_that_does_not_end(new_pipe: Callable[..., Pipe]) -> None:
    """An unfinished line is kept until its end, a flush, or the bound."""
    pipe = new_pipe()
    for _ in range(100):
        pipe.stream.write("x" * 10_000)
    assert sum(len(text) for text in pipe.stream._begun.values()) <= PIPE_BYTES
    print("!", end="", file=pipe.stream, flush=True)
    assert "".join(pipe.read()) == "x" * 1_000_000 + "!"


def test_what_cannot_be_encoded(new_pipe: Callable[..., Pipe]) -> None:
    """A lone surrogate is written as an escape sequence."""
    pipe = new_pipe()
    print("\ud800", file=pipe.stream)
    assert pipe.read() == ["\\ud800"]


def test_the_reader_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Failed writes are retried; when there is a reader again, every line arrives."""
    monkeypatch.setattr(log_writer, "_RETRY_S", 0.01)
    os.mkfifo(tmp_path / "log")
    first = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    writes = os.open(tmp_path / "log", os.O_WRONLY)
    writer = LogWriter(writes, lambda _dropped: None, 2**20)
    os.close(first)
    writer.put("one\n")
    writer.put("two\n")
    assert not writer.finish(0.1)
    with (tmp_path / "log").open("rb") as second:
        assert [second.readline(), second.readline()] == [b"one\n", b"two\n"]
    assert writer.finish(20)
    os.close(writes)


def test_a_pipe_that_does_not_block(new_pipe: Callable[..., Pipe]) -> None:
    """Another process that shares the pipe may have made it non-blocking; lines still stay whole."""
    pipe = new_pipe()
    os.set_blocking(pipe.writes, False)
    lines = [f"{number:0999}" for number in range(500)]
    for line in lines:
        print(line, file=pipe.stream)
    assert not pipe.writer.finish(0.05)
    assert pipe.read() == lines


# Output of a whole program

PROGRAM = """
import logging, sys, threading, warnings
from shared.logs import logger, metric
from worker.service.log_writer import log_written_aside
log = logger("worker")
handler = logging.StreamHandler(sys.stderr)
logging.getLogger("other").addHandler(handler)
with log_written_aside():
    {code}
"""


def started(code: str, **pipes: Any) -> subprocess.Popen[bytes]:
    """Runs a program with this code within `log_written_aside`."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM.format(code=code)], cwd=REPOSITORY, **pipes)


def test_all_output_goes_through_the_thread() -> None:
    """Log lines, metrics, prints, warnings, and logs of older handlers all go through the thread."""
    code = (
        "log.info('a'); metric('worker', 'B'); print('c'); warnings.warn('d')\n"
        "    logging.getLogger('other').error('e'); logging.getLogger('one more').error('f')\n"
        "    print(type(sys.stdout).__name__, type(handler.stream).__name__)"
    )
    with started(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        out, err = program.communicate(timeout=20)
    a, b, c, kinds = out.decode().splitlines()
    assert (json.loads(a)["message"], json.loads(b)["B"], c, kinds) == ("a", [1.0], "c", "LineStream LineStream")
    assert b"UserWarning: d" in err
    assert err.endswith(b"e\nf\n")


def test_a_crash_comes_out() -> None:
    """A traceback is printed after everything that was logged before."""
    with started("log.info('a')\n    1 / 0", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        out, _ = program.communicate(timeout=20)
    assert program.returncode == 1
    assert out.startswith(b'{"level"')
    assert out.endswith(b"ZeroDivisionError: division by zero\n")


def test_no_reader_at_the_end() -> None:
    """The program waits at most 2 s for its unread lines."""
    with started("for _ in range(1000): print('x' * 1000)", stdout=subprocess.PIPE) as program:
        assert program.wait(20) == 0


def test_handlers_go_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Afterwards the stream and its handlers are the original ones."""
    with (tmp_path / "log").open("w+") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        handler = logging.StreamHandler(stdout)
        logging.getLogger("before").addHandler(handler)
        with log_written_aside():
            logging.getLogger("before").error("within")
            assert (sys.stdout.fileno(), sys.stdout.isatty()) == (stdout.fileno(), False)
        logging.getLogger("before").error("afterwards")
        assert handler.stream is stdout
        assert (tmp_path / "log").read_text() == "within\nafterwards\n"
        logging.getLogger("before").removeHandler(handler)


def test_a_stream_without_a_descriptor(capsys: pytest.CaptureFixture[str]) -> None:
    """A stream without a file descriptor is not replaced."""
    with log_written_aside():
        sys.stdout.write("as ever\n")
    assert capsys.readouterr().out == "as ever\n"
