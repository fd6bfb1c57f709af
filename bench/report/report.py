"""Reports measurements: as JSON, as the last run in docs/benchmarks.md, and as a verdict."""

import io
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.table import Table

from bench.limit import Limit
from bench.report.result import Result
from local.stack.process import REPOSITORY

DOCUMENT: Final = REPOSITORY / "docs" / "benchmarks.md"
BEGIN: Final = "<!-- the last run: written by make bench BENCH=--write-docs -->"
END: Final = "<!-- end of the last run -->"
LIBRARIES: Final = ("websockets", "uvloop", "msgspec", "pydantic", "boto3", "aws-lambda-powertools")


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
    command: str  # the command of the runs

    @classmethod
    def here(cls, command: str) -> Self:
        return cls(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=_processor(),
            cores=os.cpu_count() or 0,
            system=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            libraries={name: version(name) for name in LIBRARIES},
            commit=_commit(),
            command=command,
        )

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {number}" for name, number in self.libraries.items())
        return (
            f"{self.at}, commit {self.commit}, {self.machine}, {self.cores} cores, {self.system}, "
            f"{self.python}, {libraries}; made with `{self.command}`"
        )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """The commit checked out, with a plus if files of the worker or the bench are modified."""
    try:
        commit = _git("describe", "--always", "--abbrev=10", "--exclude=*")
        changed = _git("status", "--porcelain", "--", "worker", "shared", "bench")
    except (OSError, subprocess.CalledProcessError):  # measuring needs neither git nor a clone
        return "unknown"
    return f"{commit}+" if changed else commit


def _git(*words: str) -> str:
    answer = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603, S607 - git's own words
    return answer.stdout.strip()


def as_json(setting: Setting, results: Sequence[Result], limits: Sequence[Limit]) -> str:
    document: dict[str, Any] = {
        "setting": asdict(setting),
        "runs": [asdict(result) for result in results],
        "limits": [asdict(limit) for limit in limits],
    }
    return json.dumps(document, indent=2) + "\n"


class NoPlaceError(Exception):
    """The document lacks the marks around the last run."""


def keep(tables: Sequence[tuple[str, Table]], setting: Setting, picture: Path, document: Path = DOCUMENT) -> None:
    """Replaces the last run in the document by this one."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise NoPlaceError(f"{document} has no place between {BEGIN!r} and {END!r}")
    parts = [f"{setting}. The figures are this machine's; the ratios travel better.\n"]
    if picture.exists():
        shutil.copyfile(picture, document.with_suffix(".svg"))
        parts.append(f"![Added latency by calls on one core]({document.stem}.svg)\n")
    parts += [f"### {title}\n\n{_markdown(table)}" for title, table in tables]
    document.write_text(f"{before}{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}{after}")


def _markdown(table: Table) -> str:
    text = io.StringIO()
    Console(file=text, width=300).print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    return "\n".join(line for line in lines if line) + "\n"


@dataclass
class Verdict:
    """The faults found, and the exit code: losses of the worker and the floor are failures, those of others findings.

    `unmade` are runs of any bridge that failed.
    """

    unmade: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def add(self, results: Sequence[Result], limits: Sequence[Limit]) -> None:
        """Adds the faults of completed runs."""
        self.unmade += [f"{limit.bridge}, calls on one core: {fault}" for limit in limits for fault in limit.faults]
        for result in results:
            faults = self.ours if result.bridge in ("worker", "floor") else self.others
            faults += [f"{result.bridge}, {result.calls} calls: {fault}" for fault in result.counts.faults]

    @property
    def lines(self) -> list[str]:
        return [*self.unmade, *self.ours, *self.others]

    @property
    def exit_code(self) -> int:
        return 1 if self.unmade or self.ours else 0
