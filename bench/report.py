"""What was measured, as JSON for programs, with what it was measured on."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from bench.limit import Limit
from bench.result import Result
from local.process import REPOSITORY

LIBRARIES = ("websockets", "uvloop", "msgspec", "pydantic", "boto3", "aws-lambda-powertools")


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
    command: str  # that made them; with --real-time, bridge and rig went before everybody else on the machine

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


def as_json(setting: Setting, results: Sequence[Result], limits: Sequence[Limit]) -> str:
    document: dict[str, Any] = {
        "setting": asdict(setting),
        "runs": [asdict(result) for result in results],
        "limits": [asdict(limit) for limit in limits],
    }
    return json.dumps(document, indent=2) + "\n"
