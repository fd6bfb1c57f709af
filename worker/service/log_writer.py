"""Writes the log from a thread of its own, so that no caller waits while the log is not read.

A pipe that is not read takes 64 KiB; then a write blocks, and on the event loop's thread every call with it. So stdout
and stderr are replaced by streams that only put lines into a queue. The queue has a bound. What does not fit is dropped
and counted, and once the queue has been written the log says how many lines are missing.
"""

import contextlib
import io
import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Final, NamedTuple, TextIO

from shared.logs import logger, metric

# In bytes, since it is memory that a queue of lines takes, and lines differ much in length. It is little beside what
# the worker needs for itself.
_MOST_BYTES: Final = 2**20
_OVERHEAD: Final = 128  # that Python adds to each text: a flood of empty lines has a bound, too
_LONGEST: Final = 64 * 1024  # characters without an end of line; they are written as they are then
_RETRY_S: Final = 1.0  # after a write that failed: the disk is full, or the reader is gone
_LAST_S: Final = 2.0  # for what still waits when the worker ends

_log = logger("worker")
_kept: Final[ContextVar[bool]] = ContextVar("kept", default=False)


@contextlib.contextmanager
def never_dropped() -> Iterator[None]:
    """What is logged in here is written even if the queue is full. Only for what comes seldom: it has no bound."""
    before = _kept.set(True)
    try:
        yield
    finally:
        _kept.reset(before)


class _Text(NamedTuple):
    """One or more whole lines, which are written in one piece."""

    data: bytes
    kept: bool

    @property
    def counts(self) -> int:
        """How much of the queue's bound it takes."""
        return 0 if self.kept else len(self.data) + _OVERHEAD


class LogWriter:
    """Writes lines to a descriptor, in order. `tell` is called with the number of those that were dropped before."""

    def __init__(self, descriptor: int, tell: Callable[[int], None], most_bytes: int) -> None:
        self._descriptor = descriptor
        self._tell = tell
        self._most_bytes = most_bytes
        self._lines: deque[_Text] = deque()  # the first is being written
        self._bytes = 0
        self._dropped = 0
        # Reentrant: a warning from the garbage collector may come while a line is put.
        self._changed = threading.Condition(threading.RLock())
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def put(self, text: str) -> None:
        """Has whole lines written; never waits for that."""
        line = _Text(text.encode("utf-8", "backslashreplace"), _kept.get())
        with self._changed:
            # Once a line was dropped, so are those after it until the gap has been told: there is one gap at a time.
            full = self._dropped or (self._lines and self._bytes + line.counts > self._most_bytes)
            if full and not line.kept:
                self._dropped += text.count("\n") or 1
                return
            self._lines.append(line)
            self._bytes += line.counts
            self._changed.notify_all()

    def finish(self, within_s: float) -> bool:
        """Waits for so long until everything is written; False if it is not."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._lines or self._dropped), within_s)

    # In the thread

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # none is to cut a write in two
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._dropped)
                line = self._lines[0] if self._lines else None
            if line is None:
                self._tell_of_gap()
                continue
            self._write(line.data)
            with self._changed:
                self._lines.popleft()
                self._bytes -= line.counts
                self._changed.notify_all()

    def _tell_of_gap(self) -> None:
        dropped = self._dropped
        try:
            with never_dropped():
                self._tell(dropped)
        except Exception:  # noqa: BLE001 - the thread must go on, and stderr has a queue too
            traceback.print_exc()
        with self._changed:
            self._dropped -= dropped
            self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        """All of it; in one piece, unless a full pipe takes only a part at first."""
        left = memoryview(data)
        while left:
            left = left[self._write_some(left) :]

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # whoever shares it has made it so
            room = select.poll()
            room.register(self._descriptor, select.POLLOUT)
            room.poll()
        except OSError:
            time.sleep(_RETRY_S)
        return 0


class LineStream(io.TextIOBase):
    """A text stream that gathers what each thread writes, and gives whole lines to a `LogWriter`."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, writer: LogWriter) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._writer = writer
        self._begun: dict[int, str] = {}  # by thread: `print` writes a line's end by itself

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        whole, end, begun = (self._begun.pop(thread, "") + text).rpartition("\n")
        if end:
            self._writer.put(whole + end)
        if begun:
            self._begun[thread] = begun
            if len(begun) > _LONGEST:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Passes on what this thread has begun of a line; does not wait until it is written."""
        if begun := self._begun.pop(threading.get_ident(), ""):
            self._writer.put(begun)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


@contextlib.contextmanager
def log_written_aside() -> Iterator[None]:
    """Has all that is printed and logged in here, to stdout or stderr, written by a thread.

    At the end it waits a moment for what is still queued, and no longer if nobody reads.
    """
    writers: dict[tuple[int, int], LogWriter] = {}  # both may lead to the same place, where lines are to stay in order
    streams: list[tuple[str, TextIO, LineStream]] = []
    for name in ("stdout", "stderr"):
        if (descriptor := _descriptor_of(stream := getattr(sys, name))) is None:
            continue
        stream.flush()
        place = os.fstat(descriptor)
        writer = writers.get((place.st_dev, place.st_ino)) or LogWriter(descriptor, _tell, _MOST_BYTES)
        writers[place.st_dev, place.st_ino] = writer
        streams.append((name, stream, LineStream(descriptor, writer)))
    for name, stream, lines in streams:
        _redirect(name, stream, lines)
    try:
        yield
    finally:
        end = time.monotonic() + _LAST_S
        for _, _, lines in streams:
            lines.flush()
        for writer in writers.values():
            writer.finish(max(0.0, end - time.monotonic()))
        for name, stream, lines in streams:
            _redirect(name, lines, stream)


def _descriptor_of(stream: TextIO | None) -> int | None:
    """None for a stream that leads nowhere outside of this process."""
    try:
        return stream.fileno() if stream else None
    except io.UnsupportedOperation:
        return None


def _redirect(name: str, before: TextIO | LineStream, to: TextIO | LineStream) -> None:
    """Replaces one of `sys`'s streams, also in the handlers that were made with it."""
    setattr(sys, name, to)
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for handler in {handler for each in loggers for handler in getattr(each, "handlers", ())}:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(to)


def _tell(dropped: int) -> None:
    _log.error("log lines dropped", lines=dropped)
    metric("worker", "LogLinesDropped", dropped)
