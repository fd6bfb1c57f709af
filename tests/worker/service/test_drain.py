"""How a worker that must stop moves its calls to other workers."""

import asyncio
import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import connect

from local.model import Hold, Say
from shared.calls.ending import CallEnd
from tests.worker.conftest import CALL_SID, Phone, RigFactory
from tests.worker.greeted import GREETING, greeted, played_ms
from worker.service import drain, server


def _call_sid(number: int) -> str:
    return f"CA{number:032}"


async def test_moved_between_two_turns(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call in which nobody speaks is moved at once; one that is being answered, after the answer was heard."""
    monkeypatch.setattr(server, "_MOVE_WITHIN_S", 60)
    hold = Hold()
    script = (GREETING, Say("One two three.", ms=900, hold=hold, hold_at_ms=600), GREETING)
    async with rig(*script, words=("count",), settings={"drain_s": 60}) as running:
        async with running.phone() as talking, running.phone() as quiet:
            await greeted(talking)
            await talking.speak()
            await hold.reached.wait()
            await greeted(quiet, call_sid=_call_sid(2))
            running.stop.set()
            await quiet.wait_closed()
            assert running.store.how_it_ended(_call_sid(2)) is CallEnd.MOVED
            assert not talking.closed
            hold.release()
            await talking.wait(lambda: played_ms(talking.of("media")) == 400 + 900)
            await talking.echo_marks()
            assert running.store.how_it_ended(CALL_SID) is CallEnd.MOVED
            assert running.store.turns(CALL_SID)[2].text == "One two three."


async def test_a_few_at_a_time(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few calls are moved at the same time, so that they do not slow each other down elsewhere."""
    monkeypatch.setattr(server, "_MOVE_WITHIN_S", 60)
    monkeypatch.setattr(drain, "_AT_ONCE", 2)
    async with rig(otherwise=[GREETING], settings={"drain_s": 60}) as running, AsyncExitStack() as phones:
        record_end, counting = running.store.record_end, threading.Lock()
        under_way, most = 0, 0
        both = threading.Barrier(2)

        def record(*args: Any, **more: Any) -> None:
            nonlocal under_way, most
            with counting:
                under_way += 1
                most = max(most, under_way)
            both.wait(timeout=10)
            record_end(*args, **more)
            with counting:
                under_way -= 1

        monkeypatch.setattr(running.store, "record_end", record)
        calls = [await phones.enter_async_context(running.phone()) for _ in range(6)]
        for number, phone in enumerate(calls):
            await greeted(phone, call_sid=_call_sid(number))
        running.stop.set()
        for phone in calls:
            await phone.wait_closed()
        assert most == 2
        assert {running.store.how_it_ended(_call_sid(number)) for number in range(6)} == {CallEnd.MOVED}


async def test_a_caller_who_goes_on_sending(rig: RigFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a call's end is recorded its frames are ignored; the socket is closed anyway."""
    monkeypatch.setattr(server, "_LIMITS", replace(server._LIMITS, close_s=60))
    async with rig(GREETING) as running, connect(running.url, close_timeout=None) as stream:
        phone, record_end = Phone(stream), running.store.record_end
        recording, sent = threading.Event(), threading.Event()

        def record(*args: Any, **more: Any) -> None:
            recording.set()
            sent.wait(timeout=2)
            record_end(*args, **more)

        monkeypatch.setattr(running.store, "record_end", record)
        await greeted(phone)
        running.stop.set()
        await asyncio.to_thread(recording.wait, 10)
        await phone.say(bytes(160 * 100))
        sent.set()
        assert await phone.wait_closed() == 1000
