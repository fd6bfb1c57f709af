"""Writes the log in a separate thread, so that calls go on even when nothing reads the log.

A pipe holds 64 KiB. When it is full, a write blocks, and in the event loop's thread it would block every call. So
stdout and stderr are replaced by streams that only put lines into a bounded queue. Lines that do not fit are dropped
and counted; when the queue is written, the log says how many lines are missing.
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

# The bound of each queue: in bytes, because lines differ much in length. It is small beside the worker's own memory.
_MAX_QUEUE_BYTES: Final = 2**20
_OVERHEAD: Final = 128  # bytes that Python adds to each text, so that a flood of empty lines is bounded, too
_MAX_OPEN_LINE: Final = 64 * 1024  # characters without a line end; more are written without one
_RETRY_S: Final = 1.0  # after a write that failed: the disk is full, or the reader is gone
_FINISH_S: Final = 2.0  # to write the rest of the queue when the worker ends

_log = logger("worker")
_never_drop: Final[ContextVar[bool]] = ContextVar("never_drop", default=False)


@contextlib.contextmanager
def never_dropped() -> Iterator[None]:
    """Lines logged in this block are queued even if the queue is full. Only for rare lines: they have no bound."""
    before = _never_drop.set(True)
    try:
        yield
    finally:
        _never_drop.reset(before)


class _Text(NamedTuple):
    """One or more whole lines that are written together."""

    data: bytes
    never_drop: bool

    @property
    def queue_bytes(self) -> int:
        """The part of the queue's bound that it uses."""
        return 0 if self.never_drop else len(self.data) + _OVERHEAD


class LogWriter:
    """Writes lines to a file descriptor, in order. After dropped lines it calls `report_dropped` with their number."""

    def __init__(self, descriptor: int, report_dropped: Callable[[int], None], max_bytes: int) -> None:
        self._descriptor = descriptor
        self._report_dropped = report_dropped
        self._max_bytes = max_bytes
        self._lines: deque[_Text] = deque()  # the first is being written
        self._bytes = 0
        self._dropped = 0
        # Reentrant: a warning from the garbage collector may come while a line is put.
        self._changed = threading.Condition(threading.RLock())
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def put(self, text: str) -> None:
        """Queues whole lines; never blocks."""
        line = _Text(text.encode("utf-8", "backslashreplace"), _never_drop.get())
        with self._changed:
            # After a dropped line, all lines are dropped until the gap is reported: there is one gap at a time.
            full = self._dropped or (self._lines and self._bytes + line.queue_bytes > self._max_bytes)
            if full and not line.never_drop:
                self._dropped += text.count("\n") or 1
                return
            self._lines.append(line)
            self._bytes += line.queue_bytes
            self._changed.notify_all()

    def finish(self, within_s: float) -> bool:
        """Waits until everything is written, at most so many seconds; False if that was too short."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._lines or self._dropped), within_s)

    # In the writer's thread

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # a signal could cut a write in two
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._dropped)
                line = self._lines[0] if self._lines else None
            if line is None:
                self._report_gap()
                continue
            self._write(line.data)
            with self._changed:
                self._lines.popleft()
                self._bytes -= line.queue_bytes
                self._changed.notify_all()

    def _report_gap(self) -> None:
        dropped = self._dropped
        try:
            with never_dropped():
                self._report_dropped(dropped)
        except Exception:  # noqa: BLE001 - the thread must go on; stderr never blocks either
            traceback.print_exc()
        with self._changed:
            self._dropped -= dropped
            self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        """Writes all of it, in one piece unless a full pipe takes only a part."""
        left = memoryview(data)
        while left:
            left = left[self._write_some(left) :]

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # another process that shares the pipe has made it non-blocking
            room = select.poll()
            room.register(self._descriptor, select.POLLOUT)
            room.poll()
        except OSError:
            time.sleep(_RETRY_S)
        return 0


class LineStream(io.TextIOBase):
    """A text stream that collects what each thread writes and passes whole lines to a `LogWriter`."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, writer: LogWriter) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._writer = writer
        self._begun: dict[int, str] = {}  # by thread, because `print` writes a line and its end separately

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        whole, end, begun = (self._begun.pop(thread, "") + text).rpartition("\n")
        if end:
            self._writer.put(whole + end)
        if begun:
            self._begun[thread] = begun
            if len(begun) > _MAX_OPEN_LINE:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Queues this thread's unfinished line; does not wait until it is written."""
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
    """In this block a separate thread writes all that is printed or logged to stdout and stderr.

    At the end it waits up to 2 s for the lines that are still queued.
    """
    writers: dict[tuple[int, int], LogWriter] = {}  # one for both streams if they are the same file, to keep the order
    streams: list[tuple[str, TextIO, LineStream]] = []
    for name in ("stdout", "stderr"):
        if (descriptor := _descriptor_of(stream := getattr(sys, name))) is None:
            continue
        stream.flush()
        place = os.fstat(descriptor)
        writer = writers.get((place.st_dev, place.st_ino)) or LogWriter(descriptor, _report_dropped, _MAX_QUEUE_BYTES)
        writers[place.st_dev, place.st_ino] = writer
        streams.append((name, stream, LineStream(descriptor, writer)))
    for name, stream, lines in streams:
        _redirect(name, stream, lines)
    try:
        yield
    finally:
        end = time.monotonic() + _FINISH_S
        for _, _, lines in streams:
            lines.flush()
        for writer in writers.values():
            writer.finish(max(0.0, end - time.monotonic()))
        for name, stream, lines in streams:
            _redirect(name, lines, stream)


def _descriptor_of(stream: TextIO | None) -> int | None:
    """The stream's file descriptor; None if it has none."""
    try:
        return stream.fileno() if stream else None
    except io.UnsupportedOperation:
        return None


def _redirect(name: str, before: TextIO | LineStream, to: TextIO | LineStream) -> None:
    """Replaces one of `sys`'s streams, also in the log handlers that use it."""
    setattr(sys, name, to)
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for handler in {handler for each in loggers for handler in getattr(each, "handlers", ())}:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(to)


def _report_dropped(dropped: int) -> None:
    _log.error("log lines dropped", lines=dropped)
    metric("worker", "LogLinesDropped", dropped)
