"""Before the conversation starts: the session is configured, checked, and rejected if it is wrong."""

import msgspec
import pytest

from shared.calls.ending import CallEnd
from tests.worker.dialogue import (
    MU_LAW,
    STARTED_AT,
    Dialogue,
    of_type,
    only,
    requests,
    to_model,
)
from worker.conversation.effects import (
    AppendAudio,
    Connect,
    HangUp,
    ModelLost,
    SessionReady,
    Timer,
)
from worker.engines.realtime import events
from worker.engines.realtime.session import session_update


def test_first_words() -> None:
    """The agent speaks first, with the greeting of its file and without a tool."""
    dialogue = Dialogue()
    request = only(requests(dialogue.ready()))
    assert request["response"]["tool_choice"] == "none"
    assert '"Hello!"' in request["response"]["instructions"]
    assert request["response"]["instructions"].startswith("You are the front desk.")


def test_early_audio_is_buffered() -> None:
    """The last two seconds of audio before the session is ready are sent to it, in order."""
    dialogue = Dialogue()
    early = [dialogue.hears(20) for _ in range(120)]
    assert not any(early)
    dialogue.feed(events.SessionCreated(events.NewSession()))
    flushed = of_type(dialogue.feed(events.SessionUpdated(MU_LAW)), AppendAudio)
    assert len(flushed) == 100
    assert len(of_type(dialogue.hears(20), AppendAudio)) == 1


def test_a_pooled_session() -> None:
    """The greeting is requested at once, without configuring the session first."""
    dialogue = Dialogue()
    early = [dialogue.hears(20) for _ in range(3)]
    assert not any(early)
    effects = dialogue.feed(SessionReady(MU_LAW, session_update(dialogue.agent, "auto")))
    assert len(requests(effects)) == 1
    assert len(of_type(effects, AppendAudio)) == 3
    assert not to_model(effects, "session.update")
    assert Timer.SESSION not in dialogue.running


def test_a_pooled_session_of_another_agent() -> None:
    """It is configured again, and used when the server confirms that."""
    dialogue = Dialogue()
    update = session_update(Dialogue(voice="cedar").agent, "auto")
    effects = dialogue.feed(SessionReady(MU_LAW, update))
    assert only(to_model(effects, "session.update")) == session_update(dialogue.agent, "auto")
    assert not requests(effects)
    assert requests(dialogue.feed(events.SessionUpdated(MU_LAW)))


def test_the_expiry_of_a_pooled_session() -> None:
    """It was opened before the call, so it expires earlier during the call."""
    dialogue = Dialogue()
    expires_at = STARTED_AT.timestamp() + 1800
    dialogue.feed(
        SessionReady(msgspec.structs.replace(MU_LAW, expires_at=expires_at), session_update(dialogue.agent, "auto"))
    )
    assert dialogue.running[Timer.RENEWAL] == (1800 - 120) * 1000


def test_an_expiry_in_the_past() -> None:
    """It is ignored: otherwise each new session could be replaced at once."""
    dialogue = Dialogue()
    dialogue.feed(events.SessionCreated(events.NewSession(STARTED_AT.timestamp() - 1)))
    assert Timer.RENEWAL not in dialogue.running


@pytest.mark.parametrize("direction", ["input", "output"])
def test_wrong_format(direction: str) -> None:
    """A session that confirms another audio format is rejected: the caller would hear noise."""
    dialogue = Dialogue()
    pcm = events.AudioSide(events.AudioFormat("audio/pcm"))
    session = events.Session(audio=msgspec.structs.replace(MU_LAW.audio, **{direction: pcm}))
    end = only(of_type(dialogue.feed(events.SessionUpdated(session)), HangUp))
    assert end.ended is CallEnd.FAILED
    assert f"audio.{direction}.format" in end.reason


def test_rejected_session() -> None:
    """A refused session update ends the call with an apology instead of a silent line."""
    dialogue = Dialogue()
    dialogue.feed(events.SessionCreated(events.NewSession()))
    assert only(of_type(dialogue.fails("unknown_parameter"), HangUp)).ended is CallEnd.FAILED


def test_session_that_fails_for_now() -> None:
    """After a temporary error before the session is ready, another socket is opened."""
    dialogue = Dialogue()
    assert not of_type(dialogue.fails("server_error"), HangUp)
    assert not of_type(dialogue.feed(ModelLost("model_closed: 1011")), HangUp)
    assert of_type(dialogue.fire(Timer.RECONNECT), Connect)


def test_session_never_ready() -> None:
    """If the session is not ready in time, the call fails."""
    dialogue = Dialogue()
    assert only(of_type(dialogue.fire(Timer.SESSION), HangUp)).reason == "session_not_ready"
