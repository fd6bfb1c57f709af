"""How busy a worker is."""

import asyncio
import time

import pytest

from worker import load
from worker.load import Load


def test_full_by_calls() -> None:
    """As many calls as it may have, and no more."""
    busy = Load(2, max_lag_s=1)
    busy.calls = 1
    assert not busy.full
    busy.calls = 2
    assert busy.full


async def test_full_by_lag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A loop that is held up is noticed, and is reported."""
    monkeypatch.setattr(load, "_LOOK_EVERY_S", 0.01)
    lagging = Load(10, max_lag_s=0.15)
    watching = asyncio.create_task(lagging.watch())
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251 - to hold the loop up is the point
    await asyncio.sleep(0.02)
    assert lagging.full
    watching.cancel()
    assert '"LoopLagMs"' in capsys.readouterr().out
