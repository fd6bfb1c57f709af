"""A small run from end to end. What it counts is checked, never how long anything took."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from local.process import REPOSITORY

CALLS = 3


def test_a_small_run_of_the_worker_is_complete_and_loses_nothing(tmp_path: Path) -> None:
    """Every frame and every piece of the agent's audio arrives once, in order, at the right end."""
    out = tmp_path / "bench.json"
    sizes = ["--calls", str(CALLS), "--seconds", "2", "--warm-up", "1", "--sockets", "10"]
    command = [sys.executable, "-m", "bench", "--bridges", "worker", *sizes, "--out", str(out)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(out.read_text())
    assert document["setting"]["python"].startswith("CPython 3.")
    [run] = document["runs"]
    counts = run["counts"]
    assert counts["frames_sent"] == counts["frames_arrived"] >= CALLS * 2 * 40
    assert counts["deltas_sent"] == counts["deltas_arrived"] >= CALLS * 15
    assert counts["interruptions"] == counts["clears"] >= CALLS
    assert not any(counts[fault] for fault in ("strays", "disordered", "calls_lost", "refusals"))
    # A mark as an answer's first audio begins to play, and one behind each piece of it.
    assert counts["marks_echoed"] >= counts["deltas_sent"]
    assert run["start_to_first_audio"]["samples"] == CALLS
    assert run["phone_to_model"]["samples"] >= CALLS * 2 * 40
    assert run["speech_started_to_clear"]["samples"] >= 1
    assert run["memory_idle_mib"] > 0
    assert run["sockets_per_second"] > 0


@pytest.mark.parametrize("option", ["--calls=0", "--calls=100000", "--seconds=3601", "--bridges=other"])
def test_a_run_out_of_bounds_is_not_begun(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The rig is bounded in time and in calls."""
    with pytest.raises(SystemExit):
        main([option])
    assert option.split("=")[0] in capsys.readouterr().err
