"""The search for a limit doubles the calls until a step fails, then bisects."""

import asyncio
import http
import os
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar

import pytest
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from bench import limit
from bench.contenders.bridges import Bridge, Place
from bench.contenders.floor import PhoneEnd
from bench.limit import Limit, Step, StoppedBy, find, next_try, whose_limit
from bench.rig.certificate import Certificate
from bench.rig.loop import RigLoop
from bench.rig.model import Script
from bench.rig.phone import Line
from bench.rig.rig import Conditions, Rig
from local.stack.process import HOST, free_port

MOST = 800
BRISK = Script(delta_ms=40, deltas=4, interrupted_after_ms=100, caller_speaks_ms=100)


def _step(calls: int, limit: int) -> Step:
    return Step(calls, 1.0, 2.0 if calls <= limit else 90.0, 0.1)


@pytest.mark.parametrize("limit", [3, 30, 170, 640])
def test_a_limit_is_found_to_within_a_twelfth(limit: int) -> None:
    """In at most a dozen steps, for any limit."""
    steps: list[Step] = []
    while (calls := next_try(steps, MOST)) is not None:
        steps.append(_step(calls, limit))
    held = max(step.calls for step in steps if step.holds)
    assert held <= limit <= held * 1.1 + 1
    assert len(steps) <= 12


def test_the_search_ends_at_the_most() -> None:
    """If that many calls hold, no more are tried."""
    steps = [_step(400, 1000)]
    assert next_try(steps, MOST) == MOST
    assert next_try([*steps, _step(MOST, 1000)], MOST) is None


def test_a_step_fails_by_either_way_or_by_the_rig() -> None:
    """A step whose calls did not start has no percentiles."""
    assert Step(10, 19.9, 19.9, 0.1).holds
    assert not Step(10, 20.1, 1.0, 0.1).holds
    assert not Step(10, 1.0, 20.1, 0.1).holds
    assert not Step(10).holds
    assert not Step(10, 1.0, 1.0, 6.0).holds


@pytest.mark.parametrize("lost", [{"pieces_lost": 1}, {"calls_lost": 1}])
def test_a_step_fails_by_what_did_not_arrive(lost: dict[str, int]) -> None:
    """Even if the rest was fast."""
    assert not Step(10, 1.0, 1.0, 0.1, **lost).holds


LATE, FULL, SLOW = Step(300, 1.0, 1.0, 6.0), Step(300, 30.0, 1.0, 0.1, 99.0), Step(300, 30.0, 1.0, 0.1)


@pytest.mark.parametrize(
    ("steps", "stopped_by"),
    [
        ([LATE], StoppedBy.RIG_LATE),
        ([FULL], StoppedBy.RIG_FULL),
        ([Step(300, rig_core_percent=99)], StoppedBy.RIG_FULL),
        ([], StoppedBy.MOST),
        ([SLOW], None),
        ([Step(300)], None),
        ([LATE, Step(280, 30.0, 1.0, 0.1)], None),
        ([Step(380, 30.0, 1.0, 0.1), LATE], StoppedBy.RIG_LATE),
    ],
)
def test_a_limit_that_is_not_the_bridges_says_whose_it_is(steps: list[Step], stopped_by: StoppedBy | None) -> None:
    """It is decided at the fewest calls that failed."""
    steps = [_step(250, 250), *steps]
    assert whose_limit(steps) is stopped_by
    told = str(Limit("worker", False, 250, steps, whose_limit(steps)))
    assert told == (f"250+ ({stopped_by})" if stopped_by else "250")


class _FewCalls(PhoneEnd):
    """A floor that takes four calls at once."""

    up: ClassVar[set[PhoneEnd]] = set()
    most = 4

    def answer(self, handshake: ServerProtocol, request: Request) -> Response:
        if len(self.up) >= self.most:
            return handshake.reject(http.HTTPStatus.SERVICE_UNAVAILABLE, "full\n")
        self.up.add(self)
        return super().answer(handshake, request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.up.discard(self)
        super().connection_lost(exc)


class _Sulking(_FewCalls):
    """A floor that refuses all calls after it has refused one."""

    up: ClassVar[set[PhoneEnd]] = set()

    def answer(self, handshake: ServerProtocol, request: Request) -> Response:
        if len(self.up) >= self.most:
            type(self).most = 0
        return super().answer(handshake, request)


class _Lossy(PhoneEnd):
    """A floor that drops every twenty-fifth message of a call."""

    messages = 0

    def receives(self, message: bytes) -> None:
        self.messages += 1
        if self.messages % 25:
            super().receives(message)


def _limit_of(end: type[PhoneEnd], folder: Path) -> Limit:
    """The search's result for a bridge that runs in the rig's own process."""
    place = Place(0, 0, free_port(), free_port(), folder, Certificate.make(folder))

    async def searched() -> Limit:
        model_url = f"http://{HOST}:{place.model_port}/v1"
        server = await asyncio.get_running_loop().create_server(lambda: end(model_url, None), HOST, 0)
        bridge = Bridge(os.getpid(), Line(server.sockets[0].getsockname()[1], lambda _sid: "", ""))
        async with Rig.driving(lambda _tls: nullcontext(bridge), place, Conditions(script=BRISK)) as rig:
            found = await find("a bridge", 8, 0.6, rig)
        server.close()
        return found

    with asyncio.Runner(loop_factory=RigLoop) as runner:
        return runner.run(searched())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the waits, and makes steps fail by losses only, not by latency."""
    monkeypatch.setattr(limit, "_SETTLED_S", 0.7)
    for name in ("ADDED_MS", "_HOPELESS_MS", "_RIG_LATE_MS"):
        monkeypatch.setattr(limit, name, 60_000)


@pytest.mark.usefixtures("patient")
def test_a_bridge_that_takes_no_more_calls_has_its_limit_there(tmp_path: Path) -> None:
    """Refused calls do not disturb the accepted ones."""
    found = _limit_of(_FewCalls, tmp_path)
    assert [step.calls for step in found.steps] == [8, 4, 6, 5]
    assert str(found) == "4"


@pytest.mark.usefixtures("patient")
def test_a_bridge_that_does_not_recover_is_no_longer_asked(tmp_path: Path) -> None:
    """Its limit was not found, which is a fault."""
    found = _limit_of(_Sulking, tmp_path)
    assert [step.calls for step in found.steps] == [8]
    assert found.faults == ["the bridge did not recover"]


@pytest.mark.usefixtures("patient")
def test_a_bridge_that_loses_a_frame_does_not_hold(tmp_path: Path) -> None:
    """One lost frame is enough, although all others arrive in time."""
    found = _limit_of(_Lossy, tmp_path)
    assert found.steps[0].pieces_lost >= 8
    assert not found.steps[0].holds
