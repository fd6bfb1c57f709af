"""What CloudWatch is told of the calls."""

import json

import pytest

from worker.service import active_calls
from worker.service.active_calls import report_active_calls


async def test_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As many as there are, again and again."""
    monkeypatch.setattr(active_calls, "_REPORT_EVERY_S", 0)
    numbers = iter(range(10))
    with pytest.raises(RuntimeError):  # how a coroutine learns of the end of an iterator
        await report_active_calls(lambda: next(numbers))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ActiveCalls"] for line in lines] == [[float(number)] for number in range(10)]
