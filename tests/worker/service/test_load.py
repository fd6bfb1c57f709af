"""The load of a worker."""

import asyncio
import json
import time

import pytest

from worker.service import load
from worker.service.load import Load, Standing, report_active_calls


def test_full_by_calls() -> None:
    """The worker is full at its maximum of calls."""
    busy = Load(2, max_lag_s=1)
    busy.place(signed=True).move(Standing.ADMITTED)
    assert not busy.full
    arriving = busy.place(signed=True)
    assert busy.full
    assert busy.calls == 1
    arriving.move(None)
    assert not busy.full


async def test_strangers_are_no_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """Unsigned streams have a small quota of their own, and are counted separately."""
    strange = Load(2, max_lag_s=1)
    places = [strange.place(signed=False) for _ in range(20) if strange.admits_unsigned()]
    assert len(places) == 20
    assert not strange.admits_unsigned()
    assert not strange.full
    assert not strange.calls
    places[0].move(Standing.ARRIVING)
    assert strange.admits_unsigned()
    watching = asyncio.create_task(strange.watch())
    await asyncio.sleep(0)
    watching.cancel()
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {name: value for line in written for name, value in line.items() if name.startswith("Unsigned")}
    assert told == {"UnsignedHandshakes": [22.0], "UnsignedHandshakesRefused": [1.0]}


async def test_full_by_lag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A blocked event loop makes the worker full, and is reported."""
    monkeypatch.setattr(load, "_POLL_INTERVAL_S", 0.01)
    lagging = Load(10, max_lag_s=0.15)
    watching = asyncio.create_task(lagging.watch())
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251 - blocks the event loop on purpose
    await asyncio.sleep(0.02)
    assert lagging.full
    watching.cancel()
    assert '"LoopLagMs"' in capsys.readouterr().out


async def test_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of calls is reported repeatedly."""
    monkeypatch.setattr(load, "_REPORT_EVERY_S", 0)
    numbers = iter(range(10))
    with pytest.raises(RuntimeError):  # `StopIteration` in a coroutine
        await report_active_calls(lambda: next(numbers))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ActiveCalls"] for line in lines] == [[float(number)] for number in range(10)]
