"""The greeting from a pooled session."""

import asyncio

import pytest

from local.model import Say
from local.twilio import EndedBy
from local.twilio.person import HangUp, Listen
from tests.whole_path.conftest import PATIENCE_S, System

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_greeting_comes_from_a_pooled_session(system: System) -> None:
    """It was opened and confirmed before the call; another one replaces it in the pool."""
    system.script(Say("Hello.", ms=400))
    model = system.surroundings.model
    async with system.surroundings.stack.other_worker({"SESSION_POOL_SIZE": "1"}):
        async with asyncio.timeout(PATIENCE_S):
            session = await model.session()
            await session.wait_sent("session.updated")
        report = await system.call(Listen(), HangUp())
        async with asyncio.timeout(PATIENCE_S):
            await (await model.session(2)).wait_sent("session.updated")
    assert (report.ended_by, report.codes) == (EndedBy.CALLER, [])
    assert report.first_audio_ms is not None
    asked = [event.event["type"] for event in session.received]
    assert [type_ for type_ in asked if type_ != "input_audio_buffer.append"][:2] == [
        "session.update",
        "response.create",
    ]
    async with asyncio.timeout(PATIENCE_S):
        for each in model.sessions:
            await each.wait_closed()
