"""Keeps a run in docs/benchmarks.md, between two marks, and its picture beside it."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.report import Setting
from local.process import REPOSITORY

DOCUMENT: Final = REPOSITORY / "docs" / "benchmarks.md"
BEGIN: Final = "<!-- the last run: written by make bench BENCH=--write-docs -->"
END: Final = "<!-- end of the last run -->"
_WIDTH: Final = 300


class NoPlaceError(Exception):
    """The document lacks the marks between which a run is kept."""


def keep(tables: Sequence[tuple[str, Table]], setting: Setting, picture: Path, document: Path = DOCUMENT) -> None:
    """Puts a run in the place of the one before."""
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
    Console(file=text, width=_WIDTH).print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    return "\n".join(line for line in lines if line) + "\n"
