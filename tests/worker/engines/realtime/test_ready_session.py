"""A session that is made ready before its call is known."""

from typing import Any

import pytest
from openai.types.realtime import SessionUpdateEvent

from local.model import SimulatedModel
from local.model.faults import FailSession, Fault, IgnoreUpdate, RefuseHandshake, RejectUpdate, WrongFormats
from tests.worker.conftest import worker_settings
from tests.worker.dialogue import agent
from worker.engines.realtime import ready_session
from worker.engines.realtime.ready_session import NotReady, open_ready
from worker.engines.realtime.session import session_update


async def test_ready() -> None:
    """What the agent asks for has been confirmed, and nothing else was sent."""
    async with SimulatedModel() as model:
        ready = await open_ready(worker_settings("table", "queue", model.url), agent())
        session = await model.session()
        assert [event.event["type"] for event in session.sent] == ["session.created", "session.updated"]
        (update,) = (event.event for event in session.received)
        SessionUpdateEvent.model_validate(update, strict=True)
        assert update == ready.asked == session_update(agent(), "auto")
        assert ready.session.audio.input.format.type == "audio/pcmu"
        assert 3500 < (ready.left_s or 0) <= 3600
        ready.socket.close()
        await session.wait_closed()


async def test_names_no_caller() -> None:
    """Its safety identifier is its own: OpenAI's word on one session is not its word on all callers."""
    async with SimulatedModel() as model:
        settings = worker_settings("table", "queue", model.url)
        one, other = [await open_ready(settings, agent()) for _ in range(2)]
        names = [session.headers["OpenAI-Safety-Identifier"] for session in model.sessions]
        assert names == [one.identifier, other.identifier]
        assert one.identifier != other.identifier
        one.socket.close()
        other.socket.close()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (RefuseHandshake(401), "model_refused_connection: HTTP 401"),
        (FailSession(), "model_error: insufficient_quota"),
        (RejectUpdate(), "model_error: unknown_parameter"),
        (WrongFormats(), "session_rejected: audio.input.format is audio/pcm, must be audio/pcmu"),
        (IgnoreUpdate(), "session_not_ready"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else "",
)
async def test_not_ready(fault: Fault, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that is not what was asked for is none, and its socket is closed."""
    monkeypatch.setattr(ready_session, "_CONFIGURED_WITHIN_S", 0.3 if isinstance(fault, IgnoreUpdate) else 20)
    async with SimulatedModel() as model:
        model.faults.add(fault)
        with pytest.raises(NotReady) as failure:
            await open_ready(worker_settings("table", "queue", model.url), agent())
        assert str(failure.value) == reason
        for session in model.sessions:
            await session.wait_closed()


@pytest.mark.parametrize(
    ("changes", "suits"),
    [
        ({}, True),
        ({"instructions": "You are somebody else.", "tools": (), "voice": "cedar"}, True),
        ({"max_output_tokens": 900}, True),
        ({"model": "gpt-realtime-2"}, False),
        ({"reasoning_effort": None}, False),
        ({"turn_detection": {"type": "semantic_vad"}}, False),
    ],
)
async def test_suits(changes: dict[str, Any], suits: bool) -> None:
    """It can serve another agent of the same model, unless a setting of the first one's would stay behind."""
    asked: dict[str, Any] = {"reasoning_effort": "low"}
    async with SimulatedModel() as model:
        ready = await open_ready(worker_settings("table", "queue", model.url), agent(**asked))
        assert ready.suits(agent(**{**asked, **changes})) is suits
        ready.socket.close()
