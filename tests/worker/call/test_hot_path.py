"""The cost of an audio frame and a barge-in in a running call: writes, tasks, and data that is not touched."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from local.model import Hold, Say
from tests.worker.conftest import Phone, Rig, RigFactory
from tests.worker.greeted import GREETING, greeted, played_ms
from worker.call.bridge import Bridge
from worker.websocket.connection import WebSocket
from worker.websocket.framing import read_text, text_frame


class Spy:
    """Replaces a socket's transport for a while, and keeps what is written."""

    def __init__(self, socket: WebSocket) -> None:
        self.writes: list[bytes] = []
        self._socket = socket
        self._transport = socket._transport

    def __enter__(self) -> Self:
        self._socket._transport = self  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        self._socket._transport = self._transport

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def messages(self, *, masked: bool) -> list[bytes]:
        """The written messages; each write is one message."""
        read = [(data, read_text(data, 0, masked=masked, longest=2**16)) for data in self.writes]
        assert all(message and message[1] == len(data) for data, message in read)
        return [message[0] for _, message in read if message]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _bridge(running: Rig) -> Bridge:
    (bridge,) = running.worker._bridges
    return bridge


def _model_socket(bridge: Bridge) -> WebSocket:
    socket = bridge._model._socket
    assert socket is not None
    return socket


@contextmanager
def _tasks_counted() -> Iterator[list[str]]:
    """The coroutines for which tasks are created in this block."""
    made: list[str] = []
    loop = asyncio.get_running_loop()

    def note(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(note)
    try:
        yield made
    finally:
        loop.set_task_factory(None)


def _media(payload: str) -> bytes:
    """A media message of Twilio with this payload, which need not be base64."""
    return b'{"event":"media","media":{"track":"inbound","payload":"%b"},"streamSid":"MZ1"}' % payload.encode()


async def test_a_media_frame(rig: RigFactory) -> None:
    """One synchronous write to the model, none to the phone, and no task."""
    async with rig(GREETING) as running, running.phone() as phone:
        await greeted(phone)
        bridge = _bridge(running)
        with Spy(bridge._stream) as to_phone, Spy(_model_socket(bridge)) as to_model, _tasks_counted() as tasks:
            for count in range(1, 51):
                bridge._stream.data_received(text_frame(_media("/" * 216), masked=True))
                assert len(to_model.writes) == count
        assert not to_phone.writes
        assert not tasks


async def test_a_payload_is_not_decoded(rig: RigFactory) -> None:
    """A payload is passed on unchanged, even if it is not base64."""
    async with rig(GREETING) as running, running.phone() as phone:
        await greeted(phone)
        bridge = _bridge(running)
        payload = r"~ no base64, é neither, nor \u0041 ~"
        with Spy(_model_socket(bridge)) as to_model:
            bridge._stream.data_received(text_frame(_media(payload), masked=True))
        expected = f'{{"type":"input_audio_buffer.append","audio":"{payload}"}}'
        assert to_model.messages(masked=True) == [expected.encode()]


async def test_the_agents_audio(rig: RigFactory) -> None:
    """Audio and its mark are written while the model's event is being received, without a task."""
    hold = Hold()
    async with rig(GREETING, _answer(hold), refusals=True) as running, running.phone() as phone:
        model = await _answering(running, phone, hold)
        active = _bridge(running)._call._turn_taking.active_id
        delta = {"type": "response.output_audio.delta", "response_id": active, "item_id": "more", "delta": "//8="}
        with Spy(_bridge(running)._stream) as to_phone, _tasks_counted() as tasks:
            model.data_received(text_frame(json.dumps(delta).encode(), masked=False))
        sent = [json.loads(message) for message in to_phone.messages(masked=False)]
        assert [message["event"] for message in sent] == ["media", "mark"]
        assert sent[0]["media"]["payload"] == "//8="
        assert not tasks
        hold.release()


async def test_a_barge_in(rig: RigFactory) -> None:
    """`clear` is written while the model's event is being received, and the item is truncated to what was heard."""
    hold = Hold()
    async with rig(GREETING, _answer(hold)) as running, running.phone() as phone:
        model = await _answering(running, phone, hold)
        with Spy(_bridge(running)._stream) as to_phone, Spy(model) as to_model:
            model.data_received(text_frame(b'{"type":"input_audio_buffer.speech_started"}', masked=False))
        assert [json.loads(message)["event"] for message in to_phone.messages(masked=False)] == ["clear"]
        told = [json.loads(message)["type"] for message in to_model.messages(masked=True)]
        assert told == ["conversation.item.truncate"]
        hold.release()


def _answer(hold: Hold) -> Say:
    return Say("A very long answer.", ms=3000, hold=hold, hold_at_ms=900)


async def _answering(running: Rig, phone: Phone, hold: Hold) -> WebSocket:
    """Puts the agent in the middle of an answer; returns the model's socket."""
    await greeted(phone)
    await phone.speak()
    await hold.reached.wait()
    await phone.wait(lambda: played_ms(phone.of("media")) == 400 + 900)
    return _model_socket(_bridge(running))
