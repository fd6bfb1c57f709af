"""Faults are contained: a fault in one session, tool, watch or call affects no other call."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from local.model import CallTool, Say
from local.model.faults import Fault, OddFrame, OddSession
from shared.calls.ending import CallEnd
from tests.worker.conftest import CALL_SID, Phone, Rig, RigFactory, until
from tests.worker.greeted import GREETING, greeted, played_ms
from worker import faults
from worker.call import bridge
from worker.call.bridge import Bridge
from worker.conversation.call import Call
from worker.engines.realtime import events, session_pool, socket
from worker.engines.realtime.connection import open_session
from worker.engines.realtime.session_pool import PooledSession, open_pooled
from worker.engines.realtime.socket import ModelSocket
from worker.faults import report_loop_fault, supervised
from worker.service.load import Load
from worker.storage import Storage
from worker.tools.toolbox import Toolbox

ANOTHER = "CA" + "2" * 32
ODD_SESSIONS = [
    OddSession("audio.input.format", '"g711_ulaw"'),
    OddSession("audio.output.format", "null"),
    OddSession("audio.input", "[]"),
    OddSession("audio", '"x"'),
    OddSession("expires_at", "true"),
    OddSession("expires_at", '"soon"'),
    OddSession("expires_at", "Infinity"),
    OddFrame(b"\xff".hex()),
    OddFrame(b'{"type":"session.updated","session":{"id":"\xff"}}'.hex()),
    OddFrame((b'{"type":"session.updated","session":' + b"[" * 50_000).hex()),
    OddFrame(b'{"type":"session.updated","session":{"expires_at":1e999}}'.hex()),
    OddFrame(b"\x00\x01".hex(), binary=True),
]
odd_sessions = pytest.mark.parametrize(
    "fault", ODD_SESSIONS, ids=[f"{type(fault).__name__}-{number}" for number, fault in enumerate(ODD_SESSIONS)]
)


class Failing:
    """Fails `times` times, then does what `work` does; `asked` counts the calls."""

    def __init__(
        self, work: Callable[..., Any], times: int = 1, fault: type[BaseException] = ZeroDivisionError
    ) -> None:
        self.asked = 0
        self._work = work
        self._times = times
        self._fault = fault

    def __get__(self, owner: object, _kind: type | None = None) -> Callable[..., Any]:
        """Binds itself to an object, as a method does."""
        return partial(self, owner)

    def __call__(self, *given: Any, **more: Any) -> Any:
        self.asked += 1
        if self.asked <= self._times:
            raise self._fault
        return self._work(*given, **more)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the pauses before retries."""
    monkeypatch.setattr(faults, "_PAUSES_S", (0.01,))
    monkeypatch.setattr(session_pool, "_PAUSES_S", (0.01,))


def metrics(capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    """How often each metric was written since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return Counter(
        metric["Name"]
        for line in lines
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in directive["Metrics"]
    )


async def goes_on(phone: Phone) -> None:
    """The call goes on: the caller speaks and is answered."""
    before = played_ms(phone.of("media"))
    await phone.speak()
    await phone.wait(lambda: played_ms(phone.of("media")) > before)


def standing(running: Rig) -> int:
    return len(running.worker._session_pool._standing)


@odd_sessions
async def test_an_odd_session_of_the_pool(rig: RigFactory, fault: Fault, capsys: pytest.CaptureFixture[str]) -> None:
    """Only that session is lost: the call goes on, and the pool opens another session once the model is right."""
    async with rig(otherwise=[GREETING], settings={"session_pool_size": 1}) as running, running.phone() as phone:
        await until(lambda: standing(running) == 1)
        running.model.faults.add(fault)
        await greeted(phone)
        await until(lambda: len(running.model.sessions) == 3 and standing(running) == 1)
        assert metrics(capsys)["SessionPoolFailures"] == 1
        await goes_on(phone)
        async with running.phone() as other:
            await greeted(other, ANOTHER)
            assert metrics(capsys)["SessionPoolHits"] == 1


@odd_sessions
async def test_an_odd_session_of_a_call(rig: RigFactory, fault: Fault) -> None:
    """Only that session is lost; the call opens another one."""
    async with rig(otherwise=[GREETING]) as running, running.phone() as phone:
        running.model.faults.add(fault)
        await greeted(phone)
        assert len(running.model.sessions) == 2
        await goes_on(phone)


async def test_an_odd_session_is_counted(rig: RigFactory, capsys: pytest.CaptureFixture[str]) -> None:
    """Malformed sessions are counted, both of the pool and of a call."""
    async with rig(otherwise=[GREETING], settings={"session_pool_size": 1}) as running, running.phone() as phone:
        await until(lambda: standing(running) == 1)
        running.model.faults.add(OddFrame(), OddFrame())
        await greeted(phone)
        await until(lambda: standing(running) == 1)
    assert metrics(capsys)["ModelMalformed"] == 2


@pytest.mark.parametrize("fault", [ZeroDivisionError, asyncio.CancelledError, BaseExceptionGroup])
async def test_a_fault_in_the_pool(
    rig: RigFactory, fault: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of any kind is logged and counted, and the pool goes on."""
    raising = (lambda: BaseExceptionGroup("", [GeneratorExit()])) if fault is BaseExceptionGroup else fault
    opening = Failing(open_pooled, fault=raising)  # type: ignore[arg-type]  # it is called, too
    async with rig(otherwise=[GREETING], settings={"session_pool_size": 1}) as running, running.phone() as phone:
        await until(lambda: standing(running) == 1)
        monkeypatch.setattr(session_pool, "open_pooled", opening)
        await greeted(phone)
        await until(lambda: standing(running) == 1)
        assert opening.asked == 2
        assert metrics(capsys)["WorkerFaults"] == 1
        await goes_on(phone)


async def test_a_fault_while_one_stands(
    rig: RigFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pooled session is closed and replaced."""
    monkeypatch.setattr(session_pool, "_young_s", Failing(session_pool._young_s))
    async with rig(otherwise=[GREETING], settings={"session_pool_size": 1}) as running, running.phone() as phone:
        await until(lambda: standing(running) == 1 and len(running.model.sessions) == 2)
        await running.model.sessions[0].wait_closed()
        await greeted(phone)
        assert metrics(capsys)["WorkerFaults"] == 1


async def test_a_fault_in_a_session_that_a_call_waits_for(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call opens its own session."""
    async with rig(otherwise=[GREETING], settings={"session_pool_size": 1}) as running, running.phone() as phone:
        await until(lambda: standing(running) == 1)
        monkeypatch.setattr(PooledSession, "suits", Failing(PooledSession.suits))
        monkeypatch.setattr(running.worker._session_pool, "reserve_open", running.worker._session_pool.reserve)
        await greeted(phone)
        await running.model.sessions[0].wait_closed()


async def test_a_fault_of_a_watch(
    rig: RigFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault in a calls watch or the load watch does not end the worker; the watch is restarted."""
    counting, looking = Failing(lambda _calls: asyncio.sleep(3600), 3), Failing(Load.watch, 2)
    monkeypatch.setattr(Load, "watch", looking)
    protection = SimpleNamespace(watch=counting)
    async with rig(otherwise=[GREETING], protection=protection) as running, running.phone() as phone:
        await greeted(phone)
        await until(lambda: (counting.asked, looking.asked) == (4, 3))
        await goes_on(phone)
    assert metrics(capsys)["WorkerFaults"] == 5


@pytest.mark.parametrize("fault", [ZeroDivisionError, asyncio.CancelledError])
async def test_supervised_to_its_end(fault: type[BaseException]) -> None:
    """Work that returns is done; after a fault, or a cancellation not meant for it, it is restarted."""
    work = Failing(lambda: asyncio.sleep(0), 3, fault)
    await supervised("work", work)
    assert work.asked == 4


async def test_supervised_until_it_is_cancelled() -> None:
    """Cancelling ends it while it works, while it waits for a restart, and when it fails at that moment."""

    async def fail_when_cancelled() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ZeroDivisionError

    for work in (lambda: asyncio.sleep(3600), Failing(lambda: asyncio.sleep(3600), 10**9), fail_when_cancelled):
        task = asyncio.create_task(supervised("work", work))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task], timeout=20)
        assert task.cancelled()


@pytest.mark.parametrize("frame", [b'{"event":"mark","mark":{"name":"\xff"}}', b"\xff", b"[" * 50_000])
@pytest.mark.parametrize("text", [True, False], ids=["text", "binary"])
async def test_bytes_that_are_no_text_on_the_stream(rig: RigFactory, frame: bytes, text: bool) -> None:
    """They end that call, with a record, and no other call."""
    async with rig(otherwise=[GREETING]) as running, running.phone() as phone, running.phone() as other:
        await greeted(phone)
        await greeted(other, ANOTHER)
        await phone.stream.send(frame, text=text)
        assert await phone.wait_closed() == 1000
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED
        await goes_on(other)


async def test_bytes_that_are_no_text_before_the_start(rig: RigFactory) -> None:
    """The stream is refused."""
    async with rig() as running, running.phone() as phone:
        await phone.stream.send(b'{"event":"\xff"}', text=True)
        assert await phone.wait_closed() == 1008


@pytest.mark.parametrize("broken", [(Bridge, "_receive"), (Call, "handle"), (Call, "hear")])
async def test_a_fault_at_what_the_stream_brings(
    rig: RigFactory, broken: tuple[type, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends that call, with a record, and no other call."""
    async with rig(otherwise=[GREETING]) as running, running.phone() as phone, running.phone() as other:
        await greeted(phone)
        await greeted(other, ANOTHER)
        await until(lambda: all(call.quiet for call in running.worker._bridges))  # everything sent so far is handled
        monkeypatch.setattr(*broken, Failing(getattr(*broken)))
        await phone.say(b"\xff" * 160)
        await phone.send("dtmf", dtmf={"digit": "1"})
        assert await phone.wait_closed() == 1000
        monkeypatch.undo()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.FAILED
        assert metrics(capsys)["WorkerFaults"] == 1
        await goes_on(other)


async def test_a_fault_at_what_the_model_says(
    rig: RigFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session is lost; the call opens another one and goes on."""
    async with rig(otherwise=[GREETING]) as running, running.phone() as phone:
        await greeted(phone)
        with monkeypatch.context() as broken:
            broken.setattr(events, "decode", decode := Failing(events.decode))
            await phone.speak()
            await until(lambda: decode.asked > 1 and len(running.model.sessions) == 2)
        await goes_on(phone)
        assert metrics(capsys)["WorkerFaults"] == 1


async def test_a_fault_when_the_model_is_reached(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only that attempt fails."""
    monkeypatch.setattr(socket, "open_session", Failing(open_session))
    async with rig(otherwise=[GREETING]) as running, running.phone() as phone:
        await greeted(phone)


async def test_a_fault_of_the_toolbox(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is told that the tool gave no result, and the call goes on."""
    monkeypatch.setattr(Toolbox, "run", Failing(Toolbox.run))
    script = (GREETING, [CallTool("opening_hours")], [Say("I cannot tell.", ms=300)])
    async with rig(*script) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        output = await (await running.model.session()).wait_received("conversation.item.create")
        assert "failed" in json.loads(output["item"]["output"])["error"]
        await phone.wait(lambda: played_ms(phone.of("media")) == 700)


async def test_a_fault_when_a_person_is_asked_for(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is told that the request was not sent."""
    monkeypatch.setattr(Storage, "send", Failing(Storage.send, 1))
    ask = CallTool("escalate_to_human", {"reason": "a", "summary": "b"})
    async with rig(GREETING, [ask], [Say("I could not.", ms=300)]) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        output = await (await running.model.session()).wait_received("conversation.item.create")
        assert "NOT" in json.loads(output["item"]["output"])["error"]
        await phone.wait(lambda: played_ms(phone.of("media")) == 700)


@pytest.mark.parametrize(
    "broken",
    [(Storage, "keep_turns"), (ModelSocket, "close"), (bridge, "report")],
    ids=["turns", "model", "report"],
)
async def test_a_fault_at_a_calls_end(
    rig: RigFactory, broken: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is still recorded and the stream closed."""
    async with rig(otherwise=[GREETING]) as running, running.phone() as phone:
        await greeted(phone)
        monkeypatch.setattr(*broken, Failing(print, 100))
        await phone.send("stop", stop={"callSid": CALL_SID})
        assert await phone.wait_closed() == 1000
        monkeypatch.undo()
        assert running.store.how_it_ended(CALL_SID) is CallEnd.CALLER_HUNG_UP
        assert running.worker._load.calls in (0, 1)
        await until(lambda: running.worker._load.calls == 0)


async def test_a_fault_in_a_loop_callback(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault that the event loop itself would only print is logged and counted."""
    asyncio.get_running_loop().set_exception_handler(report_loop_fault)
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert metrics(capsys)["WorkerFaults"] == 1
