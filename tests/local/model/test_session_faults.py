"""Failures of a session: at its start, at its end, and outside responses."""

from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK

from local.audio.recogniser import Dictated
from local.model import Say, Scripted, SimulatedModel
from local.model.faults import (
    AnonymousError,
    CloseSocket,
    FailSession,
    FailTranscription,
    Fault,
    IgnoreUpdate,
    LateTranscription,
    OddFrame,
    OddSession,
    RejectUpdate,
    WrongFormats,
)
from tests.local.model.client import KEY, MU_LAW, Client, connected, socket_url, talking

HELLO = Say("Hello there.", ms=1000)


def _model(*responses: Any, faults: tuple[Fault, ...] = ()) -> SimulatedModel:
    model = SimulatedModel(brain=Scripted(*responses), recogniser=Dictated("hello"), pace=100)
    model.faults.add(*faults)
    return model


async def _read_to_the_end(client: Client) -> ConnectionClosed:
    while True:
        try:
            await client.receive()
        except ConnectionClosed as closed:
            return closed


async def test_a_session_may_fail_before_it_begins() -> None:
    """An error instead of session.created, then a close."""
    async with _model(faults=(FailSession(),)) as model:
        async with connect(socket_url(model), additional_headers=KEY, proxy=None) as socket:
            client = Client(socket)
            assert (await client.receive())["error"]["code"] == "insufficient_quota"
            assert isinstance(await _read_to_the_end(client), ConnectionClosedOK)


async def test_an_update_may_be_refused_though_it_is_right() -> None:
    """The next one is accepted."""
    async with _model(faults=(RejectUpdate(),)) as model, connected(model) as client:
        session = {"type": "realtime", "audio": MU_LAW}
        assert (await client.ask("session.update", session=session))["code"] == "unknown_parameter"
        assert model.sessions[0].configuration.audio_input["format"]["type"] == "audio/pcm"
        await client.configure()


async def test_an_update_may_never_be_answered() -> None:
    """It is not applied either; the next update is."""
    async with _model(faults=(IgnoreUpdate(),)) as model, connected(model) as client:
        await client.send("session.update", session={"type": "realtime", "instructions": "Ignored."})
        updated = await client.configure()
        assert len(client.of_type("session.updated")) == 1
        assert updated["instructions"] != "Ignored."


async def test_an_update_may_come_back_with_other_formats() -> None:
    """They are in use: the model's audio is then PCM."""
    async with _model(HELLO, faults=(WrongFormats(),)) as model, connected(model) as client:
        session = await client.configure()
        assert session["audio"]["input"]["format"]["type"] == "audio/pcm"
        await client.respond()
        assert len(client.audio()) > 40_000


async def test_an_update_may_come_back_in_another_shape() -> None:
    """Once; the session uses the requested settings."""
    async with _model(faults=(OddSession("audio.output.format", '"g711_ulaw"'),)) as model, connected(model) as client:
        assert (await client.configure())["audio"]["output"]["format"] == "g711_ulaw"
        assert model.sessions[0].configuration.audio_output["format"] == {"type": "audio/pcmu"}
        assert (await client.configure())["audio"]["output"]["format"] == {"type": "audio/pcmu"}


@pytest.mark.parametrize("binary", [False, True])
async def test_an_update_may_come_back_as_another_frame(binary: bool) -> None:
    """Invalid bytes, as a text or a binary frame."""
    async with _model(faults=(OddFrame("ff00", binary),)) as model, connected(model) as client:
        await client.send("session.update", session={"type": "realtime", "audio": MU_LAW})
        assert await client.socket.recv(decode=False) == b"\xff\x00"


async def test_a_refusal_may_not_say_what_it_is_about() -> None:
    """`event_id` is null, once."""
    async with _model(faults=(AnonymousError(),)) as model, talking(model) as client:
        assert (await client.ask("response.cancel", event_id="mine"))["event_id"] is None
        assert (await client.ask("response.cancel", event_id="mine"))["event_id"] == "mine"


@pytest.mark.parametrize(("code", "error"), [(1000, ConnectionClosedOK), (1011, ConnectionClosedError)])
async def test_the_socket_may_be_closed_in_the_middle(code: int, error: type[ConnectionClosed]) -> None:
    """After some audio, with a code."""
    async with _model(HELLO, faults=(CloseSocket(code, after_ms=600),)) as model, talking(model) as client:
        await client.send("response.create")
        closed = await _read_to_the_end(client)
        assert isinstance(closed, error)
        assert closed.rcvd is not None
        assert closed.rcvd.code == code
        assert len(client.audio()) == 600 * 8


async def test_the_socket_may_be_reset() -> None:
    """Without a close frame, by a fault or by a test's call of `reset`."""
    async with _model(HELLO, faults=(CloseSocket(reset=True),)) as model:
        async with talking(model) as client:
            await client.send("response.create")
            assert (await _read_to_the_end(client)).rcvd is None
        async with talking(model) as client:
            await (await model.session(2)).reset()
            assert (await _read_to_the_end(client)).rcvd is None


async def test_the_session_may_expire() -> None:
    """By a test's call or after its time: an error, then a clean close with 1001."""
    short = SimulatedModel(brain=Scripted(), recogniser=Dictated(), session_s=0.2)
    async with _model(HELLO) as model, short:
        async with talking(model) as first, connected(short) as second:
            await first.send("response.create")
            await (await model.session()).expire()
            for client in (first, second):
                assert (await client.until("error"))["error"]["code"] == "session_expired"
                closed = await _read_to_the_end(client)
                assert isinstance(closed, ConnectionClosedOK)
                assert closed.rcvd is not None
                assert closed.rcvd.code == 1001


async def test_a_transcription_may_come_after_the_answer() -> None:
    """Transcription is independent of the response."""
    audio = {**MU_LAW, "input": {**MU_LAW["input"], "transcription": {"model": "gpt-transcribe"}}}
    async with _model(HELLO, faults=(LateTranscription(0.3),)) as model, talking(model, audio=audio) as client:
        await client.speak()
        await client.until("response.done")
        assert not client.of_type("conversation.item.input_audio_transcription.completed")
        await client.until("conversation.item.input_audio_transcription.completed")


async def test_a_transcription_may_fail() -> None:
    """The model hears the words nevertheless."""
    audio = {**MU_LAW, "input": {**MU_LAW["input"], "transcription": {"model": "gpt-transcribe"}}}
    async with _model(HELLO, faults=(FailTranscription(),)) as model, talking(model, audio=audio) as client:
        await client.speak()
        failed = await client.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == "audio_unintelligible"
        assert (await client.until("response.done"))["response"]["status"] == "completed"
