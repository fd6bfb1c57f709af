"""A log that is not read: nobody waits for it, lines stay whole and in order, and what is missing is told."""

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
    """A writer, and the pipe that it writes to; `told` is what it has said about lines that were dropped."""

    def __init__(self, most_bytes: int = 2**20) -> None:
        self.reads, self.writes = os.pipe()
        self.told: list[int] = []
        self.writer = LogWriter(self.writes, self._tell, most_bytes)
        self.stream = LineStream(self.writes, self.writer)

    def _tell(self, dropped: int) -> None:
        self.told.append(dropped)
        self.writer.put(f"dropped {dropped}\n")

    def read(self) -> list[str]:
        """All lines that are written, and that are still to be."""
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
    """Makes pipes, and closes them when nothing waits to be written any more."""
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
    """Lines leave as they were put."""
    pipe = new_pipe()
    lines = [f"line {number}" for number in range(1000)]
    for line in lines:
        print(line, file=pipe.stream)
    assert pipe.read() == lines


def test_not_read(new_pipe: Callable[..., Pipe]) -> None:
    """Nobody waits. What fits is kept and the rest is counted, each line once; then lines are taken again."""
    # More than the pipe takes: however late the thread begins, the queue cannot run empty before it is read.
    pipe = new_pipe(most_bytes=4 * PIPE_BYTES)
    lines = [f"{number:099}" for number in range(10_000)]
    for line in lines:
        print(line, file=pipe.stream)
    got = pipe.read()
    (dropped,) = pipe.told
    assert got == [*lines[:-dropped], f"dropped {dropped}"]
    assert PIPE_BYTES // 100 < len(got) < 5 * PIPE_BYTES // 100


def test_empty_lines(new_pipe: Callable[..., Pipe]) -> None:
    """They take memory as well, and are not kept without end."""
    pipe = new_pipe(most_bytes=100_000)
    for _ in range(100_000):
        print(file=pipe.stream)
    assert len(pipe.writer._lines) <= 1000
    pipe.read()


def test_never_dropped(new_pipe: Callable[..., Pipe]) -> None:
    """What must not be lost is written in its place, though all around it is dropped."""
    pipe = new_pipe(most_bytes=1000)
    for number in range(2000):
        print(f"line {number:090}", file=pipe.stream)
        if number % 10 == 0:
            with never_dropped():
                print(f"kept {number:090}", file=pipe.stream)
    lines = pipe.read()
    assert [int(line.split()[1]) for line in lines if line.startswith("kept")] == list(range(0, 2000, 10))
    numbers = [int(line.split()[1]) for line in lines if not line.startswith("dropped")]
    assert numbers == sorted(numbers)
    assert sum(line.startswith("line") for line in lines) + sum(pipe.told) == 2000
    assert lines[-1] == f"dropped {pipe.told[-1]}"


def test_several_gaps(new_pipe: Callable[..., Pipe]) -> None:
    """Each is told where it is, and lines are taken again after it."""
    pipe = new_pipe(most_bytes=1000)
    lines: list[str] = []
    for _ in range(3):
        for number in range(2000):
            print(f"{number:099}", file=pipe.stream)
        lines += pipe.read()
        assert lines[-1] == f"dropped {pipe.told[-1]}"
    assert sum(not line.startswith("dropped") for line in lines) + sum(pipe.told) == 3 * 2000


def test_a_fault_of_whoever_tells(new_pipe: Callable[..., Pipe]) -> None:
    """It does not end the thread."""
    pipe = new_pipe(most_bytes=1000)

    def fail(_dropped: int) -> None:
        raise ZeroDivisionError

    pipe.writer._tell = fail
    for number in range(2000):
        print(f"{number:099}", file=pipe.stream)
    assert pipe.read()
    print("after all", file=pipe.stream)
    assert pipe.read() == ["after all"]


def test_a_line_longer_than_the_bound(new_pipe: Callable[..., Pipe]) -> None:
    """It is written when nothing else waits: the bound is on what waits."""
    pipe = new_pipe(most_bytes=1000)
    print("x" * 5000, file=pipe.stream)
    assert pipe.read() == ["x" * 5000]


def test_lines_of_several_threads(new_pipe: Callable[..., Pipe]) -> None:
    """`print` writes a line in pieces; those of one thread do not get into another's line."""
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
    """What is begun is kept to be written as a line, within a bound, or until it is to be flushed."""
    pipe = new_pipe()
    for _ in range(100):
        pipe.stream.write("x" * 10_000)
    assert sum(len(text) for text in pipe.stream._begun.values()) <= PIPE_BYTES
    print("!", end="", file=pipe.stream, flush=True)
    assert "".join(pipe.read()) == "x" * 1_000_000 + "!"


def test_what_cannot_be_encoded(new_pipe: Callable[..., Pipe]) -> None:
    """Half a character is written as Python would write it in a string."""
    pipe = new_pipe()
    print("\ud800", file=pipe.stream)
    assert pipe.read() == ["\\ud800"]


def test_the_reader_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What cannot be written is tried again; when somebody reads once more, every line comes."""
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
    """Somebody who shares it may have made it so; lines stay whole all the same."""
    pipe = new_pipe()
    os.set_blocking(pipe.writes, False)
    lines = [f"{number:0999}" for number in range(500)]
    for line in lines:
        print(line, file=pipe.stream)
    assert not pipe.writer.finish(0.05)
    assert pipe.read() == lines


# What a program prints and logs

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
    """A program that does this within `log_written_aside`."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM.format(code=code)], cwd=REPOSITORY, **pipes)


def test_everything_goes_that_way() -> None:
    """Log lines, metrics, prints, warnings, and what others log, through handlers that were there before."""
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
    """What is raised within is printed after all that was logged before."""
    with started("log.info('a')\n    1 / 0", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        out, _ = program.communicate(timeout=20)
    assert program.returncode == 1
    assert out.startswith(b'{"level"')
    assert out.endswith(b"ZeroDivisionError: division by zero\n")


def test_nobody_reads_at_the_end() -> None:
    """What waits then gets its moment and no more."""
    with started("for _ in range(1000): print('x' * 1000)", stdout=subprocess.PIPE) as program:
        assert program.wait(20) == 0


def test_handlers_go_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Afterwards all is as it was, and the stream's own name leads to it."""
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


def test_a_stream_of_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    """One that leads nowhere outside is left alone."""
    with log_written_aside():
        sys.stdout.write("as ever\n")
    assert capsys.readouterr().out == "as ever\n"
