"""A response fails once, in the service's way, and the next one succeeds."""

import json
from typing import Any

import pytest

from local.audio.recogniser import Dictated
from local.model import CallTool, Say, Scripted, SimulatedModel
from local.model.faults import (
    CutShort,
    FailResponse,
    Fault,
    NeverAnswer,
    NeverFinish,
)
from tests.local.model.client import HOURS, talking

HELLO = Say("Hello there.", ms=1000)
LOOK = CallTool("opening_hours", {"day": "mon"}, "call_1")


def _model(*responses: Any, faults: tuple[Fault, ...] = ()) -> SimulatedModel:
    model = SimulatedModel(brain=Scripted(*responses), recogniser=Dictated("hello"), pace=100)
    model.faults.add(*faults)
    return model


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "insufficient_quota", "server_error"])
async def test_a_response_may_fail_without_any_error_event(code: str) -> None:
    """Only its status shows it, with zero usage; the next one succeeds."""
    async with _model(HELLO, faults=(FailResponse(code),)) as model, talking(model) as client:
        failed = await client.respond()
        assert (failed["status"], failed["status_details"]["error"]["code"]) == ("failed", code)
        assert failed["usage"]["total_tokens"] == 0
        assert not client.of_type("error")
        done = await client.respond()
        assert done["output"][0]["content"][0]["transcript"] == HELLO.text


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_a_response_may_be_cut_short(reason: Any) -> None:
    """It is incomplete, with the audio sent so far."""
    async with _model(HELLO, faults=(CutShort(reason, after_ms=450),)) as model, talking(model) as client:
        done = await client.respond()
        assert (done["status"], done["status_details"]["reason"]) == ("incomplete", reason)
        assert done["output"][0]["status"] == "incomplete"
        assert len(client.audio()) == 450 * 8


async def test_a_response_may_never_be_answered() -> None:
    """There is no event at all; the next request is answered."""
    async with _model(HELLO, faults=(NeverAnswer(),)) as model, talking(model) as client:
        await client.send("response.create", response={"metadata": {"n": "1"}})
        done = await client.respond(metadata={"n": "2"})
        assert done["metadata"] == {"n": "2"}
        assert len(client.of_type("response.created")) == 1


async def test_a_response_may_fall_silent_until_it_is_cancelled() -> None:
    """It stays active until then."""
    async with _model(HELLO, faults=(NeverFinish(after_ms=300),)) as model, talking(model) as client:
        await client.send("response.create")
        assert (await client.ask("response.create"))["code"] == "conversation_already_has_active_response"
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        assert len(client.audio()) <= 300 * 8


async def test_a_call_may_be_cut_short_within_its_arguments() -> None:
    """A response with only a call has no audio after which to cut it."""
    async with _model(LOOK, faults=(CutShort(),)) as model, talking(model, tools=[HOURS]) as client:
        done = await client.respond()
        assert (done["status"], done["output"][0]["status"]) == ("incomplete", "incomplete")
        assert done["output"][0]["arguments"] in json.dumps(LOOK.arguments)[:-1]
