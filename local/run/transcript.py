"""What was said in a call, out of the worker's log: the only place that has it when the model is the real one."""

import json
from collections.abc import Iterator
from pathlib import Path


def transcript_in(log: Path, call_sid: str) -> Iterator[tuple[str, str]]:
    """Each turn of a call as (role, text), if the worker's log level is DEBUG."""
    for line in log.read_text(errors="replace").splitlines():
        if call_sid in line and (entry := json.loads(line)).get("message") == "transcript":
            yield from ((turn["role"], turn["text"]) for turn in entry["turns"])
