"""The report of an ended call."""

import json
from typing import Any

import pytest

from local.model import Say
from shared.calls.ending import CallEnd
from tests.worker.conftest import RigFactory
from tests.worker.dialogue import Dialogue
from tests.worker.greeted import GREETING, greeted, played_ms
from worker.call.summary import report
from worker.conversation.effects import HangUp
from worker.conversation.latency import Answer
from worker.tools import CallContext

INFO = CallContext("CA1", "+15550000001", "+15550000002", "en")


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The JSON lines on stdout, such as metrics."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def of_answers(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines with metrics of single answers."""
    return [line for line in lines if any("Response" in key for key in line)]


def test_how_long_the_caller_waited(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """One line has all answers, by agent and model; those after tools are separate, unheard ones only count as sent."""
    dialogue = Dialogue()
    dialogue.call.latency.answers += [
        Answer(800, after_tool=False, heard_ms=900),
        Answer(3000, after_tool=True, heard_ms=3100),
        Answer(700, after_tool=False),
    ]
    report(dialogue.call, INFO, dialogue.agent, HangUp(CallEnd.CALLER_HUNG_UP, "caller_hung_up"), 60)
    (answers,) = of_answers(written(capsys))
    assert answers["ResponseSentMs"] == [800, 700]
    assert answers["ResponseHeardMs"] == [900]
    assert (answers["ToolResponseSentMs"], answers["ToolResponseHeardMs"]) == ([3000], [3100])
    assert (answers["service"], answers["agent"], answers["model"]) == ("worker", "test", dialogue.agent.model)
    assert [vars(line).get("answers") for line in caplog.records] == [3]


def test_a_call_without_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A caller who hangs up at the greeting has waited for no answer."""
    dialogue = Dialogue()
    report(dialogue.call, INFO, dialogue.agent, HangUp(CallEnd.CALLER_HUNG_UP, "caller_hung_up"), 2)
    assert not of_answers(written(capsys))


async def test_nothing_is_written_while_they_talk(rig: RigFactory, capsys: pytest.CaptureFixture[str]) -> None:
    """Times are written only at the call's end; they include the silence that ends the caller's turn."""
    async with rig(GREETING, [Say("Yes.", ms=700)]) as running, running.phone() as phone:
        await greeted(phone)
        await phone.speak()
        await phone.wait(lambda: played_ms(phone.of("media")) == 400 + 700)
        await phone.wait_for("mark", 6)
        await phone.hear_all()
        assert not of_answers(written(capsys))
        await phone.send("stop", stop={})
        await phone.wait_closed()
    (answers,) = of_answers(written(capsys))
    (sent,), (heard,) = answers["ResponseSentMs"], answers["ResponseHeardMs"]
    assert 500 <= sent <= heard
