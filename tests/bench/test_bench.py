"""Small runs from end to end. Their counts are checked, their times are not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.contenders.bridges import BRIDGES
from local.stack.process import REPOSITORY

CALLS = 3
SHORT = ["--seconds", "1", "--warm-up", "1", "--sockets", "2"]


def _run(tmp_path: Path, *options: str) -> dict[str, Any]:
    """Makes a run, which must succeed, and returns its JSON."""
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", *SHORT, *options, "--out", str(out)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def test_a_small_run_of_the_worker_is_complete_and_loses_nothing(tmp_path: Path) -> None:
    """Every frame and every piece of the agent's audio arrives once, in order, at the right end; here by TLS."""
    options = [
        "--bridges",
        "worker",
        "--calls",
        str(CALLS),
        "--tls",
        "on",
        "--no-find-limit",
        "--model-delay",
        "0",
        "0",
    ]
    document = _run(tmp_path, *options, "--seconds", "2")
    assert document["setting"]["python"].startswith("CPython 3.")
    assert "--bridges worker --calls 3 --tls on" in document["setting"]["command"]
    [run] = document["runs"]
    assert run["tls"]
    counts = run["counts"]
    assert counts["frames_sent"] == counts["frames_arrived"] >= CALLS * 2 * 40
    assert counts["deltas_sent"] == counts["deltas_arrived"] >= CALLS * 15
    assert counts["interruptions"] == counts["clears"] >= CALLS
    assert not any(counts[fault] for fault in ("strays", "disordered", "calls_lost", "refusals"))
    # A mark when an answer's first audio begins to play, and one after each piece of it.
    assert counts["marks_echoed"] >= counts["deltas_sent"]
    assert run["start_to_first_audio"]["samples"] == CALLS
    assert run["phone_to_model"]["samples"] >= CALLS * 2 * 40
    assert run["speech_started_to_clear"]["samples"] >= 1
    assert run["memory_idle_mib"] > 0
    assert run["sockets_per_second"] > 0


def test_the_floors_limit_is_searched_up_to_the_most(tmp_path: Path) -> None:
    """The floor holds six calls; the JSON has each step, and the plot is beside it."""
    options = ["--bridges", "floor", "--calls", "--tls", "off", "--model-delay", "0", "0"]
    document = _run(tmp_path, *options, "--most", "6", "--limit-seconds", "1")
    [limit] = document["limits"]
    assert (limit["bridge"], limit["steps"][0]["calls"]) == ("floor", 6)
    assert (tmp_path / "bench.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("name", ["forum", "twilio-sample", "agents-sdk", "pipecat"])
def test_a_contender_is_driven_as_the_worker_is(name: str, tmp_path: Path) -> None:
    """It loses no audio either, and clears when the caller speaks."""
    if not BRIDGES[name].is_installed:
        pytest.skip(f"make setup-bench has not installed {name} here")
    options = ["--bridges", name, "--calls", "2", "--tls", "off", "--no-find-limit", "--model-delay", "0", "0"]
    [run] = _run(tmp_path, *options)["runs"]
    counts = run["counts"]
    assert counts["frames_sent"] == counts["frames_arrived"] >= 2
    assert counts["deltas_sent"] == counts["deltas_arrived"] >= 2
    assert counts["interruptions"] == counts["clears"]
    assert not any(counts[fault] for fault in ("strays", "disordered", "calls_lost", "refusals"))


@pytest.mark.parametrize(
    "option", ["--calls=0", "--calls=100000", "--seconds=3601", "--bridges=other", "--model-delay=80", "--tls=maybe"]
)
def test_a_run_out_of_bounds_is_not_begun(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The options limit time and calls."""
    with pytest.raises(SystemExit):
        main([option])
    assert option.split("=")[0] in capsys.readouterr().err
