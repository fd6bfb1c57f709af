"""`python -m worker` without any other service."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.stack.process import REPOSITORY
from tests.worker.test_settings import ENVIRON

TOOLS = """
import logging

log = logging.getLogger(__name__)
log.debug("not at this level")
log.warning("called by %s", "+15551234567")
"""


def lines_of_a_start(agents: Path) -> list[dict[str, Any]]:
    """The log of a worker that exits because its agents are invalid."""
    environ = {**ENVIRON, "AGENTS_DIR": str(agents), "AWS_REGION": "us-east-1"}
    command = [sys.executable, "-m", "worker"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_tool_logs_in_the_workers_shape(tmp_path: Path) -> None:
    """A tool's log line is written once, at the worker's level and with numbers masked."""
    (tmp_path / "shop.py").write_text(TOOLS)
    (tmp_path / "default.toml").write_text('instructions = "Be kind."\ntools = ["shop:opening_hours"]\n')
    told, failed = lines_of_a_start(tmp_path)
    assert (told["level"], told["message"], told["service"]) == ("WARNING", "called by +1********67", "worker")
    assert failed["message"] == "worker cannot start"
    assert "default.toml: tools[0]: shop.py has no 'opening_hours'; its tools are: none" in failed["error"]
