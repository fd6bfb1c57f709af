"""Each way to fail: it happens once, as the service does it, and what can go on goes on."""

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK

from local.model import CallTool, Hold, Say, Scripted, SimulatedModel
from local.model.faults import (
    NAMES,
    AnonymousError,
    BunchDone,
    CloseSocket,
    CutArguments,
    CutShort,
    Expire,
    FailResponse,
    FailSession,
    FailTranscription,
    Fault,
    Faults,
    IgnoreUpdate,
    LateDeltas,
    LateTranscription,
    NeverAnswer,
    NeverFinish,
    RejectUpdate,
    RepeatCalls,
    SendError,
    SkipCreated,
    UnknownEvents,
    WrongFormats,
    from_text,
)
from local.recogniser import Dictated
from tests.local.model.client import HOURS, KEY, MU_LAW, Client, connected, socket_url, talking

HELLO = Say("Hello there.", ms=1000)
LOOK = CallTool("opening_hours", {"day": "mon"}, "call_1")


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


def test_a_fault_happens_once_and_a_sessions_own_come_first() -> None:
    """Of two kinds each is taken by its own moment; what was cleared does not happen."""
    everyone = Faults()
    own = Faults(everyone)
    everyone.add(NeverFinish(after_ms=1), NeverAnswer())
    own.add(NeverFinish(after_ms=2))
    assert own.take(NeverFinish) == NeverFinish(after_ms=2)
    assert own.take(NeverFinish) == NeverFinish(after_ms=1)
    assert own.take(NeverFinish) is None
    everyone.clear()
    assert own.take(NeverAnswer) is None


def test_faults_can_be_named_in_text() -> None:
    """With numbers and switches read as such, and errors that say what is allowed."""
    assert len(NAMES) == 22
    assert from_text("CloseSocket", {"code": "1001", "reset": "true"}) == CloseSocket(1001, reset=True)
    assert from_text("LateTranscription", {"seconds": "0.1"}) == LateTranscription(0.1)
    with pytest.raises(ValueError, match="there are RefuseHandshake"):
        from_text("Nonsense", {})
    with pytest.raises(ValueError, match="it has code, reason, after_ms, reset"):
        from_text("CloseSocket", {"colour": "red"})


async def test_a_session_may_fail_before_it_begins() -> None:
    """An error in place of session.created, then a close."""
    async with _model(faults=(FailSession(),)) as model:
        async with connect(socket_url(model), additional_headers=KEY, proxy=None) as socket:
            client = Client(socket)
            assert (await client.receive())["error"]["code"] == "insufficient_quota"
            assert isinstance(await _read_to_the_end(client), ConnectionClosedOK)


async def test_an_update_may_be_refused_though_it_is_right() -> None:
    """The next one is taken."""
    async with _model(faults=(RejectUpdate(),)) as model, connected(model) as client:
        session = {"type": "realtime", "audio": MU_LAW}
        assert (await client.ask("session.update", session=session))["code"] == "unknown_parameter"
        assert model.sessions[0].configuration.audio_input["format"]["type"] == "audio/pcm"
        await client.configure()


async def test_an_update_may_never_be_answered() -> None:
    """Not applied either; what comes after it is."""
    async with _model(faults=(IgnoreUpdate(),)) as model, connected(model) as client:
        await client.send("session.update", session={"type": "realtime", "instructions": "Ignored."})
        updated = await client.configure()
        assert len(client.of_type("session.updated")) == 1
        assert updated["instructions"] != "Ignored."


async def test_an_update_may_come_back_with_other_formats() -> None:
    """They are the ones in force: what the model says then is PCM."""
    async with _model(HELLO, faults=(WrongFormats(),)) as model, connected(model) as client:
        session = await client.configure()
        assert session["audio"]["input"]["format"]["type"] == "audio/pcm"
        await client.respond()
        assert len(client.audio()) > 40_000


async def test_a_refusal_may_not_say_what_it_is_about() -> None:
    """`event_id` is null, once."""
    async with _model(faults=(AnonymousError(),)) as model, talking(model) as client:
        assert (await client.ask("response.cancel", event_id="mine"))["event_id"] is None
        assert (await client.ask("response.cancel", event_id="mine"))["event_id"] == "mine"


@pytest.mark.parametrize(("code", "kind"), [("server_error", "server_error"), (None, "insufficient_quota")])
async def test_an_error_may_come_out_of_the_blue(code: str | None, kind: str) -> None:
    """In the midst of a response, which goes on; some codes are seen in `type` only."""
    async with _model(HELLO, faults=(SendError(code, kind, after_ms=500),)) as model, talking(model) as client:
        assert (await client.respond())["status"] == "completed"
        [event] = client.of_type("error")
        assert (event["error"]["code"], event["error"]["type"]) == (code, kind)
        before = client.events[: client.events.index(event)]
        assert len([e for e in before if e["type"] == "response.output_audio.delta"]) == 2
        await model.sessions[0].send_error("server_error", "At any time.")
        assert (await client.until("error"))["error"]["message"] == "At any time."


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "insufficient_quota", "server_error"])
async def test_a_response_may_fail_without_any_error_event(code: str) -> None:
    """Only its status tells, and zero usage; the next one, with the words that were not spoken, is fine."""
    async with _model(HELLO, faults=(FailResponse(code),)) as model, talking(model) as client:
        failed = await client.respond()
        assert (failed["status"], failed["status_details"]["error"]["code"]) == ("failed", code)
        assert failed["usage"]["total_tokens"] == 0
        assert not client.of_type("error")
        done = await client.respond()
        assert done["output"][0]["content"][0]["transcript"] == HELLO.text


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_a_response_may_be_cut_short(reason: Any) -> None:
    """Incomplete, with the audio that there was until then."""
    async with _model(HELLO, faults=(CutShort(reason, after_ms=450),)) as model, talking(model) as client:
        done = await client.respond()
        assert (done["status"], done["status_details"]["reason"]) == ("incomplete", reason)
        assert done["output"][0]["status"] == "incomplete"
        assert len(client.audio()) == 450 * 8


async def test_a_response_may_never_be_answered() -> None:
    """No error, nothing; another request is answered."""
    async with _model(HELLO, faults=(NeverAnswer(),)) as model, talking(model) as client:
        await client.send("response.create", response={"metadata": {"n": "1"}})
        done = await client.respond(metadata={"n": "2"})
        assert done["metadata"] == {"n": "2"}
        assert len(client.of_type("response.created")) == 1


async def test_a_response_may_fall_silent_until_it_is_cancelled() -> None:
    """It holds the floor all the while."""
    async with _model(HELLO, faults=(NeverFinish(after_ms=300),)) as model, talking(model) as client:
        await client.send("response.create")
        assert (await client.ask("response.create"))["code"] == "conversation_already_has_active_response"
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        assert len(client.audio()) <= 300 * 8


async def test_a_response_may_be_done_without_having_been_created() -> None:
    """As seen around interruptions."""
    async with _model(HELLO, faults=(SkipCreated(),)) as model, talking(model) as client:
        done = await client.respond()
        assert (done["status"], done["output"]) == ("cancelled", [])
        assert not client.of_type("response.created")


async def test_deltas_may_come_late() -> None:
    """After the cancelled response is done, three of its deltas still arrive; its item does not grow by them."""
    hold = Hold()
    async with _model(Say("Hello.", ms=4000, hold=hold, hold_at_ms=300), faults=(LateDeltas(3),)) as model:
        async with talking(model) as client:
            await client.send("response.create")
            await hold.reached.wait()
            await client.send("response.cancel")
            done = (await client.until("response.done"))["response"]
            for _ in range(3):
                late = await client.receive()
                assert (late["type"], late["response_id"]) == ("response.output_audio.delta", done["id"])
            assert model.sessions[0].conversation.items[0].audio_ms == 300


async def test_a_calls_events_may_come_twice() -> None:
    """The same call_id, the same arguments, and one item in the conversation."""
    async with _model(LOOK, faults=(RepeatCalls(),)) as model, talking(model, tools=[HOURS]) as client:
        done = await client.respond()
        for name in ("response.function_call_arguments.done", "response.output_item.done"):
            first, second = client.of_type(name)
            assert first["event_id"] != second.pop("event_id")
            assert second.items() <= first.items()
        assert len(done["output"]) == 1


async def test_arguments_may_be_cut_off() -> None:
    """Incomplete, as they are when a response is; or completed, and no JSON all the same."""
    async with _model(LOOK, LOOK, faults=(CutArguments(7), CutArguments(7, "completed"))) as model:
        async with talking(model, tools=[HOURS]) as client:
            done = await client.respond()
            assert (done["status"], done["output"][0]["status"]) == ("incomplete", "incomplete")
            done = await client.respond()
            assert (done["status"], done["output"][0]["status"]) == ("completed", "completed")
            for event in client.of_type("response.function_call_arguments.done"):
                assert event["arguments"] == json.dumps(LOOK.arguments)[:7]


async def test_a_call_may_be_cut_short_within_its_arguments() -> None:
    """A response of nothing but a call has no audio to wait for."""
    async with _model(LOOK, faults=(CutShort(),)) as model, talking(model, tools=[HOURS]) as client:
        done = await client.respond()
        assert (done["status"], done["output"][0]["status"]) == ("incomplete", "incomplete")
        assert done["output"][0]["arguments"] in json.dumps(LOOK.arguments)[:-1]


async def test_unknown_events_and_fields_may_appear() -> None:
    """New ones come without notice; the known ones are as ever."""
    async with _model(HELLO, faults=(UnknownEvents(),)) as model, talking(model) as client:
        done = await client.respond()
        assert done["output"][0]["phase"] == "final_answer"
        assert client.of_type("response.reasoning.started")


async def test_done_events_may_come_bunched() -> None:
    """All items' at the end, though the first item was over long before the second began."""
    async with _model([HELLO, HELLO], faults=(BunchDone(),)) as model, talking(model) as client:
        done = await client.respond()
        assert [item["status"] for item in done["output"]] == ["completed", "completed"]
        last_delta = max(n for n, name in enumerate(client.types) if name == "response.output_audio.delta")
        ends = [n for n, name in enumerate(client.types) if name == "response.output_audio.done"]
        assert len(ends) == 2
        assert min(ends) > last_delta


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
    """No close frame: the connection is just gone. So it is when a test does it at any time."""
    async with _model(HELLO, faults=(CloseSocket(reset=True),)) as model:
        async with talking(model) as client:
            await client.send("response.create")
            assert (await _read_to_the_end(client)).rcvd is None
        async with talking(model) as client:
            await (await model.session(2)).reset()
            assert (await _read_to_the_end(client)).rcvd is None


async def test_the_session_may_expire() -> None:
    """By a fault, at any time, or when its life is over: an error, then a close with 1001, which is a clean one."""
    short = SimulatedModel(brain=Scripted(), recogniser=Dictated(), session_s=0.2)
    async with _model(HELLO, faults=(Expire(),)) as model, short:
        async with talking(model) as first, talking(model) as second, connected(short) as third:
            await first.send("response.create")
            await (await model.session(2)).expire()
            for client in (first, second, third):
                assert (await client.until("error"))["error"]["code"] == "session_expired"
                closed = await _read_to_the_end(client)
                assert isinstance(closed, ConnectionClosedOK)
                assert closed.rcvd is not None
                assert closed.rcvd.code == 1001


async def test_a_transcription_may_come_after_the_answer() -> None:
    """It is a service of its own, with a pace of its own."""
    audio = {**MU_LAW, "input": {**MU_LAW["input"], "transcription": {"model": "gpt-transcribe"}}}
    async with _model(HELLO, faults=(LateTranscription(0.3),)) as model, talking(model, audio=audio) as client:
        await client.speak()
        await client.until("response.done")
        assert not client.of_type("conversation.item.input_audio_transcription.completed")
        await client.until("conversation.item.input_audio_transcription.completed")


async def test_a_transcription_may_fail() -> None:
    """The model has heard the words nevertheless."""
    audio = {**MU_LAW, "input": {**MU_LAW["input"], "transcription": {"model": "gpt-transcribe"}}}
    async with _model(HELLO, faults=(FailTranscription(),)) as model, talking(model, audio=audio) as client:
        await client.speak()
        failed = await client.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == "audio_unintelligible"
        assert (await client.until("response.done"))["response"]["status"] == "completed"
