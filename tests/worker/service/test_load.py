"""How busy a worker is."""

import asyncio
import json
import time

import pytest

from worker.service import load
from worker.service.load import Load, Standing, report_active_calls


def test_full_by_calls() -> None:
    """As many calls as it may have, and no more."""
    busy = Load(2, max_lag_s=1)
    busy.place(signed=True).move(Standing.ADMITTED)
    assert not busy.full
    arriving = busy.place(signed=True)
    assert busy.full
    assert busy.calls == 1
    arriving.move(None)
    assert not busy.full


async def test_strangers_are_no_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a signature a stream has a place among a few of its like, and is counted apart."""
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
    """A loop that is held up is noticed, and is reported."""
    monkeypatch.setattr(load, "_POLL_INTERVAL_S", 0.01)
    lagging = Load(10, max_lag_s=0.15)
    watching = asyncio.create_task(lagging.watch())
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251 - to hold the loop up is the point
    await asyncio.sleep(0.02)
    assert lagging.full
    watching.cancel()
    assert '"LoopLagMs"' in capsys.readouterr().out


async def test_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As many as there are, again and again."""
    monkeypatch.setattr(load, "_REPORT_EVERY_S", 0)
    numbers = iter(range(10))
    with pytest.raises(RuntimeError):  # how a coroutine learns of the end of an iterator
        await report_active_calls(lambda: next(numbers))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ActiveCalls"] for line in lines] == [[float(number)] for number in range(10)]
