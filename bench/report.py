"""What was measured, as a table for people and as JSON for programs, with what it was measured on."""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from rich import box
from rich.table import Table

from bench.gauges import Spread
from bench.result import Result
from local.process import REPOSITORY

LIBRARIES = ("websockets", "uvloop", "msgspec", "pydantic", "boto3", "aws-lambda-powertools")

_Row = tuple[str, Callable[[Result], str]]


@dataclass(frozen=True)
class Setting:
    """Where and when the runs were made."""

    at: str
    machine: str
    cores: int
    system: str
    python: str
    libraries: dict[str, str]
    commit: str
    real_time: bool  # whether the bridge and the rig went before everybody else on the machine

    @classmethod
    def here(cls, *, real_time: bool) -> Self:
        return cls(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=_processor(),
            cores=os.cpu_count() or 0,
            system=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            libraries={name: version(name) for name in LIBRARIES},
            commit=_commit(),
            real_time=real_time,
        )

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {number}" for name, number in self.libraries.items())
        return (
            f"{self.at}, commit {self.commit}, {self.machine}, {self.cores} cores, {self.system}, "
            f"{self.python}, {libraries}{', real-time priority' if self.real_time else ''}"
        )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """The commit that is checked out, with a plus if files of the worker or the bench differ from it."""
    try:
        commit = _git("describe", "--always", "--abbrev=10", "--exclude=*")
        changed = _git("status", "--porcelain", "--", "worker", "shared", "bench")
    except (OSError, subprocess.CalledProcessError):  # neither git nor a clone of ours is needed to measure
        return "unknown"
    return f"{commit}+" if changed else commit


def _git(*words: str) -> str:
    answer = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603, S607 - git's own words
    return answer.stdout.strip()


def as_json(setting: Setting, results: Sequence[Result]) -> str:
    document: dict[str, Any] = {"setting": asdict(setting), "runs": [asdict(result) for result in results]}
    return json.dumps(document, indent=2) + "\n"


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} ms"


def _percentiles(what: str, of: Callable[[Result], Spread]) -> list[_Row]:
    return [
        (f"{what}, p50", lambda result: _ms(of(result).p50)),
        ("p95", lambda result: _ms(of(result).p95)),
        ("p99", lambda result: _ms(of(result).p99)),
    ]


_ROWS: tuple[_Row, ...] = (
    ("CPU for a second of a call", lambda r: f"{r.cpu_ms_per_call_second:.2f} ms"),
    ("the bridge's core in use", lambda r: f"{r.core_percent:.0f} %"),
    *_percentiles("added latency, phone to model", lambda r: r.phone_to_model),
    *_percentiles("added latency, model to phone", lambda r: r.model_to_phone),
    *_percentiles("speech_started to clear", lambda r: r.speech_started_to_clear),
    *_percentiles("start to first audio", lambda r: r.start_to_first_audio),
    ("memory a call", lambda r: f"{r.memory_kib_per_call:.0f} KiB"),
    ("memory a further call", lambda r: f"{r.memory_kib_per_further_call:.0f} KiB"),
    ("memory without calls", lambda r: f"{r.memory_idle_mib:.0f} MiB"),
    ("sockets opened a second", lambda r: f"{r.sockets_per_second:.0f}"),
    ("writes to the table for a minute of a call", lambda r: f"{r.table_writes_per_call_minute:.0f}"),
    ("media frames sent", lambda r: f"{r.counts.frames_sent}"),
    ("of these lost", lambda r: f"{r.counts.frames_sent - r.counts.frames_arrived}"),
    *_percentiles("the rig's own lateness", lambda r: r.rig_late),
    ("the rig's core in use", lambda r: f"{r.rig_core_percent:.0f} %"),
    ("used by others, of one core", lambda r: f"{r.others_core_percent:.0f} %"),
)


def as_table(results: Sequence[Result]) -> Table:
    """One column a run, in Markdown, so that it can be kept as it is."""
    table = Table(box=box.MARKDOWN)
    table.add_column("", no_wrap=True)
    for result in results:
        table.add_column(f"{result.bridge}, {result.calls}", justify="right", no_wrap=True)
    for name, value in _ROWS:
        table.add_row(name, *(value(result) for result in results))
    return table
