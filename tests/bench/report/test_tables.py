"""Ratios first, groups of what is comparable, and a document that keeps the last run."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.limit import Limit, Step, StoppedBy
from bench.report.plot import draw
from bench.report.report import BEGIN, END, NoPlaceError, Setting, keep
from bench.report.tables import as_tables
from bench.rig.model import Distance
from bench.rig.rig import Conditions
from tests.bench.results import a_result

COMMAND = 'make bench BENCH="--real-time"'
SETTING = Setting("2026-11-22T00:00:00", "a machine", 2, "Linux", "CPython", {"websockets": "17"}, "abc", COMMAND)
LIMITS = [
    Limit("floor", False, 800, [Step(800, 1.0, 2.0, 0.1), Step(900, 1.0, 2.0, 9.0)], StoppedBy.RIG_LATE),
    Limit("forum", False, 200, [Step(200, 1.0, 2.0, 0.1), Step(400, 50.0, 60.0, 0.1), Step(500)]),
]


RESULTS = [
    a_result("worker", 300, 4.5),
    a_result("forum", 300, 9.0),
    a_result("pipecat", 40, 7.0),
    a_result("worker", 20, 1.0, Conditions(tls=True, distance=Distance(0.08, 0.3)), sessions_stood=16),
]


def test_ratios_come_before_figures_and_first_words_by_themselves() -> None:
    """A bridge with fewer calls is in the same table; without a run of the floor there are no ratios to it."""
    tables = list(as_tables(RESULTS, LIMITS))
    assert [title for title, _table in tables] == [
        "300 calls at once, the model in clear text, relative to forum",
        "300 calls at once, the model in clear text",
        "First words, the model 80 ms away and back, by TLS",
        "Calls on one core with a p99 under 20 ms each way",
    ]
    ratios = _text(tables[0][1])
    assert [cell.strip() for cell in ratios.splitlines()[1].split("|")[2:5]] == [
        "worker, 300",
        "forum, 300",
        "pipecat, 40",
    ]
    assert "| 0.50 |" in " ".join(ratios.split())
    assert "| pooled sessions taken | 16 of 20 |" in " ".join(_text(tables[2][1]).split())
    limits = _text(tables[3][1])
    assert "800+ (the rig was late)" in limits
    assert "200 |" in limits


def test_the_last_run_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """The text around it stays; the plot is written beside the document."""
    document, picture = tmp_path / "benchmarks.md", tmp_path / "bench.svg"
    document.write_text(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n")
    draw(LIMITS, picture)
    keep(list(as_tables(RESULTS, LIMITS)), SETTING, picture, document)
    kept = document.read_text()
    assert kept.startswith("Before.\n")
    assert f"`{COMMAND}`" in kept
    assert kept.endswith("\nAfter.\n")
    assert "old" not in kept
    assert "### 300 calls at once" in kept
    svg = (tmp_path / "benchmarks.svg").read_text()
    assert "forum" in svg
    assert "<script" not in svg


def test_a_document_without_a_place_is_left_alone(tmp_path: Path) -> None:
    """Its text is unchanged."""
    document = tmp_path / "benchmarks.md"
    document.write_text("Nothing here.\n")
    with pytest.raises(NoPlaceError, match="no place between"):
        keep([], SETTING, tmp_path / "none.svg", document)
    assert document.read_text() == "Nothing here.\n"


def _text(table: object) -> str:
    text = io.StringIO()
    Console(file=text, width=300).print(table)
    return text.getvalue()
