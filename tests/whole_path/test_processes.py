"""A worker of two processes: what becomes of its calls when one of them dies."""

import asyncio
import json
import os
import signal

import pytest

from local.model import Say, Scripted
from local.pitch import say
from local.twilio.person import HangUp, Hear, Listen
from local.twilio.person import Say as Speak
from shared.call_store import CallEnd
from tests.whole_path.acts import Do
from tests.whole_path.conftest import PATIENCE_S, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOST, KEPT = "+15557770051", "+15557770052"
STORY_MS = 4000


def _process_of(stage: Stage, caller: str) -> int:
    """The process that has the caller's stream, as the worker's log tells it."""
    [report] = [report for report in stage.world.twilio.reports if report.from_ == caller]
    lines = stage.world.stack.worker.log.read_text().splitlines()
    admitted = [json.loads(line) for line in lines if "stream admitted" in line and report.call_sid in line]
    return int(admitted[-1]["pid"])


def _up(stage: Stage) -> int:
    """How often a worker's process has come up so far; the first answers before the second one has."""
    return stage.world.stack.worker.log.read_text().count('"process up"')


async def test_a_process_dies_and_its_caller_alone_knows(stage: Stage) -> None:
    """The caller whose process was killed has the agent again; to the other one a story is told to its end."""
    stage.cast.makes = lambda: Scripted(Say("Hello.", ms=400), Say("Once upon a time", ms=STORY_MS))
    both, killed = asyncio.Barrier(2), asyncio.Event()

    def kill() -> None:
        processes = [_process_of(stage, caller) for caller in (LOST, KEPT)]
        assert len(set(processes)) == 2
        os.kill(processes[0], signal.SIGKILL)
        killed.set()

    hear_a_story = (Listen(), Speak(say(440)), Hear(500), Do(both.wait))
    before = _up(stage)
    async with stage.world.stack.other_worker({"PROCESSES": "2"}):
        async with asyncio.timeout(PATIENCE_S):
            while _up(stage) < before + 2:
                await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as calls:
            losing = calls.create_task(
                stage.call(*hear_a_story, Do(kill), Listen(), Speak(say(440)), Listen(), HangUp(), from_=LOST)
            )
            keeping = calls.create_task(stage.call(*hear_a_story, Do(killed.wait), Listen(), HangUp(), from_=KEPT))
    lost, kept = losing.result(), keeping.result()
    assert len(lost.streams) == 2
    assert lost.streams[1].media
    [stream] = kept.streams
    assert sum(media.heard_ms for media in stream.media) == 400 + STORY_MS
    assert not stream.clears
    assert not kept.codes
    assert stage.how_it_ended(lost) is stage.how_it_ended(kept) is CallEnd.CALLER_HUNG_UP
    _first, _second, resumed = stage.world.model.sessions
    told = [event.event["item"] for event in resumed.received if event.event["type"] == "conversation.item.create"]
    assert [item["content"][0]["text"] for item in told][:2] == ["Hello.", "440"]
